//! Memory that ends where nothing is: to read or write beyond is a crash.

use std::marker::PhantomData;

const PAGE: usize = 1 << 14;

/// Numbers for a kernel, up to the last byte before a page that may not be touched.
pub struct Buffer<T> {
    map: *mut libc::c_void,
    map_len: usize,
    data: *mut T,
    len: usize,
    owns: PhantomData<T>,
}

impl<T: Copy> Buffer<T> {
    pub fn of(values: &[T]) -> Self {
        let bytes = size_of_val(values);
        let map_len = bytes.next_multiple_of(PAGE) + PAGE;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, of which the last page is then closed; values fit before it.
        unsafe {
            let map = libc::mmap(std::ptr::null_mut(), map_len, access, kind, -1, 0);
            assert_ne!(map, libc::MAP_FAILED, "no memory");
            assert_eq!(libc::mprotect(map.byte_add(map_len - PAGE), PAGE, libc::PROT_NONE), 0);
            let data = map.byte_add(map_len - PAGE - bytes).cast::<T>();
            std::ptr::copy_nonoverlapping(values.as_ptr(), data, values.len());
            Self { map, map_len, data, len: values.len(), owns: PhantomData }
        }
    }

    pub fn filled(value: T, len: usize) -> Self {
        Self::of(&vec![value; len])
    }

    pub fn read(&self) -> Vec<T> {
        // SAFETY: `len` values are there, and no kernel runs between launches.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }.to_vec()
    }

    /// Where item `from` is.
    pub fn at(&self, from: usize) -> *mut T {
        assert!(from <= self.len);
        self.data.wrapping_add(from)
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        // SAFETY: mapped by `of`, and nothing refers to it any more.
        unsafe { libc::munmap(self.map, self.map_len) };
    }
}
