//! What frames of sound are like: format, rate, channels.

use std::ffi::CStr;

use ffmpeg_next::{ffi, frame};

/// The shape that a graph was built for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    pub rate: u32,
    pub format: i32,
    pub channels: u16,
    /// As FFmpeg writes it: `5.1(side)`.
    pub layout: String,
}

impl Shape {
    pub fn of(frame: &frame::Audio) -> Self {
        // SAFETY: the frame was just decoded.
        let (format, layout) = unsafe { ((*frame.as_ptr()).format, describe(&(*frame.as_ptr()).ch_layout)) };
        Self { rate: frame.rate(), format, channels: frame.channels(), layout }
    }
}

/// Channels without positions get the usual ones: filters and encoders refuse them otherwise.
pub fn place_channels(frame: &mut frame::Audio) {
    // SAFETY: the frame is ours alone; a layout without positions owns no memory.
    unsafe {
        let layout = &mut (*frame.as_mut_ptr()).ch_layout;
        if layout.order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
            ffi::av_channel_layout_default(layout, layout.nb_channels);
        }
    }
}

/// FFmpeg's name of the usual layout of so many channels.
pub fn usual_layout(channels: u32) -> String {
    // SAFETY: all zeros is an empty layout, which FFmpeg then fills; the usual ones own no memory.
    unsafe {
        let mut layout: ffi::AVChannelLayout = std::mem::zeroed();
        ffi::av_channel_layout_default(&mut layout, i32::try_from(channels).unwrap_or(0));
        describe(&layout)
    }
}

fn describe(layout: &ffi::AVChannelLayout) -> String {
    let mut name: [std::ffi::c_char; 256] = [0; 256];
    // SAFETY: FFmpeg writes at most as many bytes as the buffer has, and ends them with a zero.
    unsafe {
        ffi::av_channel_layout_describe(layout, name.as_mut_ptr(), name.len());
        CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned()
    }
}
