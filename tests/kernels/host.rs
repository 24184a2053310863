//! The kernels compiled for the host: built once per source, loaded, launched.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use super::buffer::Buffer;

/// In which order the threads of a block take turns between barriers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Order {
    Forward = 0,
    Backward = 1,
    Scattered = 2,
}

type Launch = unsafe extern "C" fn(*const c_char, *const u32, *const u32, u32, *mut *mut c_void, order: c_int) -> c_int;

/// The arguments of a launch, in order.
#[derive(Default)]
pub struct Args(Vec<Box<[u64]>>);

impl Args {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn buffer<T: Copy>(self, buffer: &Buffer<T>) -> Self {
        self.pointer(buffer.at(0))
    }

    pub fn pointer<T>(self, at: *mut T) -> Self {
        self.value(at)
    }

    pub fn int(self, value: usize) -> Self {
        self.value(i32::try_from(value).unwrap())
    }

    pub fn ints<const N: usize>(self, values: [usize; N]) -> Self {
        values.into_iter().fold(self, Self::int)
    }

    /// Anything that CUDA passes by value.
    pub fn value<T: Copy>(mut self, value: T) -> Self {
        let mut words = vec![0_u64; size_of::<T>().div_ceil(8)].into_boxed_slice();
        // SAFETY: there is room for it.
        unsafe { words.as_mut_ptr().cast::<T>().write_unaligned(value) };
        self.0.push(words);
        self
    }
}

/// The folder of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a kernel of the README's table; waits for it.
pub fn launch(name: &str, grid: [usize; 3], block: [usize; 2], shared: usize, order: Order, mut args: Args) {
    let grid = grid.map(|side| side as u32);
    let block = [block[0] as u32, block[1] as u32, 1];
    let kernel = CString::new(name).unwrap();
    let mut pointers: Vec<*mut c_void> = args.0.iter_mut().map(|words| words.as_mut_ptr().cast()).collect();
    // SAFETY: the arguments are those of the kernel, as the README states them; what they point to lives till the end.
    let code = unsafe {
        library()(kernel.as_ptr(), grid.as_ptr(), block.as_ptr(), shared as u32, pointers.as_mut_ptr(), order as c_int)
    };
    assert_eq!(code, 0, "{name} was not launched: grid {grid:?}, block {block:?}, {shared} bytes");
}

fn library() -> Launch {
    static LIBRARY: OnceLock<Launch> = OnceLock::new();
    *LIBRARY.get_or_init(|| {
        let path = CString::new(build().to_str().unwrap()).unwrap();
        // SAFETY: the library has no constructors that do anything, and the function has this type (shim/launch.h).
        unsafe {
            let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
            assert!(!library.is_null(), "{path:?} cannot be loaded");
            let launch = libc::dlsym(library, c"shim_launch".as_ptr());
            assert!(!launch.is_null());
            std::mem::transmute::<*mut c_void, Launch>(launch)
        }
    })
}

/// Tests run in processes of their own: what one has built serves the others.
fn build() -> PathBuf {
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kernels-{}.so", sources()));
    if !library.exists() {
        let part = library.with_extension(format!("{}.so", std::process::id()));
        let script = repository().join("tests/kernels/shim/build.sh");
        let done = Command::new(&script).arg(&part).output().unwrap();
        assert!(done.status.success(), "the kernels for the host: {}", String::from_utf8_lossy(&done.stderr));
        std::fs::rename(&part, &library).unwrap();
    }
    library
}

fn sources() -> String {
    let folders = ["kernels", "tests/kernels/shim"].map(|folder| repository().join(folder));
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    files.iter().for_each(|file| hash.update(std::fs::read(file).unwrap()));
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
