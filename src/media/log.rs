//! FFmpeg's log lines, caught per sample instead of written to stderr.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::thread::{self, ThreadId};

use ffmpeg_next::ffi;
use libc::{c_char, c_int, c_void};

/// Lines kept: a broken stream logs one per packet, and the last ones say what ended it.
const MAX_LINES: usize = 64;
/// Bytes of a line that are kept.
const MAX_LINE: usize = 512;

#[cfg(target_arch = "x86_64")]
type VaList = *mut ffi::__va_list_tag;
#[cfg(not(target_arch = "x86_64"))]
type VaList = ffi::va_list;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    level: c_int,
    text: String,
}

type Lines = Arc<Mutex<VecDeque<Line>>>;

/// Who listens now: the newest capture of the thread that logs; for FFmpeg's own threads, the only capture there is.
static LISTENERS: Mutex<Vec<(ThreadId, Lines)>> = Mutex::new(Vec::new());

type Forward = Box<dyn Fn(&str) + Send + Sync>;

/// Whom lines are handed to beside the captures.
static FORWARD: OnceLock<Forward> = OnceLock::new();

/// Collects what FFmpeg says (warnings and worse) on this thread until it is dropped.
#[derive(Debug)]
pub struct LogCapture {
    lines: Lines,
    // Bound to its thread: the lines of another one would not come here.
    _not_send: PhantomData<*const ()>,
}

impl LogCapture {
    /// Starts to listen. The first call takes FFmpeg's log away from stderr for the whole process.
    pub fn start() -> Self {
        static INSTALL: Once = Once::new();
        // SAFETY: the callback is a plain function that lives as long as the program.
        INSTALL.call_once(|| unsafe { ffi::av_log_set_callback(Some(on_line)) });
        let lines = Lines::default();
        if let Ok(mut listeners) = LISTENERS.lock() {
            listeners.push((thread::current().id(), Arc::clone(&lines)));
        }
        Self { lines, _not_send: PhantomData }
    }

    /// Also hands every line to `to`, on the thread that logs it. The first call counts.
    pub fn forward(to: impl Fn(&str) + Send + Sync + 'static) {
        let _ = FORWARD.set(Box::new(to));
    }

    /// The lines of this capture, for who reads them while more come.
    pub fn lines_so_far(&self) -> LogLines {
        LogLines(Arc::clone(&self.lines))
    }

    /// The line that best tells why something failed: the last error, else the last warning.
    pub fn last_useful(&self) -> Option<String> {
        self.lines_so_far().last_useful()
    }

    /// All lines kept, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().map(|lines| lines.iter().map(|line| line.text.clone()).collect()).unwrap_or_default()
    }
}

/// The lines of a capture, from any place.
#[derive(Debug, Clone)]
pub struct LogLines(Lines);

impl LogLines {
    /// As [`LogCapture::last_useful`].
    pub fn last_useful(&self) -> Option<String> {
        let lines = self.0.lock().ok()?;
        let error = lines.iter().rev().find(|line| line.level <= ffi::AV_LOG_ERROR);
        error.or_else(|| lines.back()).map(|line| line.text.clone())
    }
}

impl LogLines {
    /// The lines kept now that are not among `before`, which were kept earlier.
    pub fn since(&self, before: &[String]) -> Vec<String> {
        let now = self.texts();
        let known = now.iter().rev().skip_while(|line| before.last() != Some(line)).count();
        now.into_iter().skip(known).collect()
    }

    /// All lines kept now, oldest first.
    pub fn texts(&self) -> Vec<String> {
        self.0.lock().map(|lines| lines.iter().map(|line| line.text.clone()).collect()).unwrap_or_default()
    }
}

impl Drop for LogCapture {
    fn drop(&mut self) {
        if let Ok(mut listeners) = LISTENERS.lock() {
            listeners.retain(|(_, lines)| !Arc::ptr_eq(lines, &self.lines));
        }
    }
}

unsafe extern "C" fn on_line(context: *mut c_void, level: c_int, format: *const c_char, arguments: VaList) {
    // The upper bytes hold a colour.
    let level = level & 0xff;
    if level > ffi::AV_LOG_WARNING {
        return;
    }
    let mut buffer: [c_char; MAX_LINE] = [0; MAX_LINE];
    let mut print_prefix: c_int = 1;
    // SAFETY: the arguments are FFmpeg's own, passed on unchanged; the length is the buffer's, and FFmpeg ends the text
    // with a zero within it.
    let text = unsafe {
        let length = MAX_LINE as c_int;
        ffi::av_log_format_line2(context, level, format, arguments, buffer.as_mut_ptr(), length, &mut print_prefix);
        CStr::from_ptr(buffer.as_ptr())
    };
    keep(level, &clean(&text.to_string_lossy()));
}

fn keep(level: c_int, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(forward) = FORWARD.get() {
        forward(text);
    }
    // A panic must not cross into C: a poisoned lock only costs the line.
    let Ok(listeners) = LISTENERS.lock() else { return };
    let here = thread::current().id();
    let own = listeners.iter().rev().find(|(id, _)| *id == here);
    let only = || listeners.first().filter(|_| listeners.len() == 1);
    let Some((_, lines)) = own.or_else(only) else { return };
    let Ok(mut lines) = lines.lock() else { return };
    let line = Line { level, text: text.to_owned() };
    if lines.back() == Some(&line) {
        return;
    }
    if lines.len() == MAX_LINES {
        lines.pop_front();
    }
    lines.push_back(line);
}

/// Without addresses (`[h264 @ 0x55d1…]`), which differ from run to run, and without control characters.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(" @ 0x") {
        let (before, address) = rest.split_at(at);
        out.push_str(before);
        let digits = address.get(5..).unwrap_or_default();
        rest = digits.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    out.push_str(rest);
    out.retain(|c| !c.is_control());
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_line_ends_go() {
        assert_eq!(clean("[h264 @ 0x55d1aB09] [swscaler @ 0x1] no frame!\n"), "[h264] [swscaler] no frame!");
        assert_eq!(clean("user @ 0xplain"), "userplain");
        assert_eq!(clean("\n"), "");
    }

    #[test]
    fn lines_reach_the_newest_capture_of_their_thread_and_are_bounded() {
        let outer = LogCapture::start();
        {
            let inner = LogCapture::start();
            let format = c"line %d\n";
            for n in 0..100 {
                // SAFETY: a format with one int, and an int.
                unsafe { ffi::av_log(std::ptr::null_mut(), ffi::AV_LOG_WARNING, format.as_ptr(), n as c_int) };
            }
            assert_eq!(inner.lines().len(), MAX_LINES);
            assert_eq!(inner.last_useful().as_deref(), Some("line 99"));
            keep(ffi::AV_LOG_ERROR, "the error");
            keep(ffi::AV_LOG_WARNING, "a warning after it");
            assert_eq!(inner.last_useful().as_deref(), Some("the error"));
        }
        assert_eq!(outer.last_useful(), None);
        keep(ffi::AV_LOG_WARNING, "x");
        assert_eq!(outer.last_useful().as_deref(), Some("x"));
    }
}
