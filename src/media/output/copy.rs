//! The packets of a span, as they are.

use std::collections::VecDeque;

use ffmpeg_next::packet::{Mut as _, Ref as _};
use ffmpeg_next::{Packet, Rational, ffi};

use super::super::MediaError;
use super::Span;

/// Another reference to the same bytes.
pub(super) fn share(packet: &Packet) -> Result<Packet, MediaError> {
    let mut shared = Packet::empty();
    // SAFETY: both are alive, and the new one is blank.
    let code = unsafe { ffi::av_packet_ref(shared.as_mut_ptr(), packet.as_ptr()) };
    if code < 0 {
        return Err(MediaError::Muxer { container: "new".into(), detail: "out of memory".into() });
    }
    Ok(shared)
}

fn is_discarded(packet: &Packet) -> bool {
    // SAFETY: the packet is borrowed.
    unsafe { (*packet.as_ptr()).flags & ffi::AV_PKT_FLAG_DISCARD != 0 }
}

/// What a copied track holds, in the source's time base.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Extent {
    /// The first presentation time that is shown, and the end of the last packet.
    pub(super) times: Option<(i64, i64)>,
    pub(super) packets: u64,
}

impl Extent {
    fn add(&mut self, packet: &Packet, usual_duration: i64) {
        let Some(pts) = packet.pts() else { return };
        if is_discarded(packet) {
            return;
        }
        let duration = if packet.duration() > 0 { packet.duration() } else { usual_duration };
        let (first, last) = self.times.unwrap_or((pts, pts));
        self.times = Some((first.min(pts), last.max(pts + duration)));
        self.packets += 1;
    }
}

/// How a copied track is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) span: Span,
    pub(super) time_base: Rational,
    /// Packets before the start, which prepare the decoder and are not shown, may come along: the container hides them.
    pub(super) keeps_preroll: bool,
    /// How long a packet lasts that does not tell.
    pub(super) usual_duration: i64,
    /// Frames are stored in another order than they are shown in.
    pub(super) is_reordered: bool,
}

/// Copies video from a keyframe on.
///
/// - It starts at the first keyframe of the span. Pictures that are stored after it and shown before it (an open GOP's
///   leading pictures) need the GOP before, and stay out.
/// - It ends where everything shown before the span's end is in, and everything that this needs to be decoded. Where that
///   takes a picture from behind the end (a B-frame's other reference), all pictures shown before that one are in, too: the
///   clip has no hole, is a little longer, and says so.
pub(super) struct CopiedVideo {
    cut: Cut,
    start: Option<i64>,
    /// Packets shown behind the end, held until one comes that is shown before it and may need them.
    held: VecDeque<Packet>,
    ready: VecDeque<Packet>,
    extent: Extent,
    last_dts: Option<i64>,
    /// The latest presentation time that is in.
    latest: i64,
    is_done: bool,
}

impl CopiedVideo {
    pub(super) fn new(cut: Cut) -> Self {
        Self {
            cut,
            start: None,
            held: VecDeque::new(),
            ready: VecDeque::new(),
            extent: Extent::default(),
            last_dts: None,
            latest: i64::MIN,
            is_done: false,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    pub(super) fn extent(&self) -> Extent {
        self.extent
    }

    /// The clip's first presentation time, once it is known.
    pub(super) fn start(&self) -> Option<i64> {
        self.start
    }

    pub(super) fn next_packet(&mut self) -> Option<Packet> {
        self.ready.pop_front()
    }

    pub(super) fn push(&mut self, packet: &Packet) -> Result<(), MediaError> {
        if self.is_done {
            return Ok(());
        }
        let Some(pts) = self.presentation_time(packet)? else { return Ok(()) };
        let base = self.cut.time_base;
        let Some(start) = self.start else {
            let is_preroll = self.cut.keeps_preroll || !(self.cut.span.is_before(pts, base) || is_discarded(packet));
            if !packet.is_key() || !is_preroll {
                return Ok(());
            }
            if self.cut.span.is_after(pts, base) {
                self.is_done = true;
                return Ok(());
            }
            self.start = Some(if is_discarded(packet) { self.cut.span.start_in(base) } else { pts });
            return self.take(packet, pts);
        };
        if pts < start && !is_discarded(packet) {
            return Ok(());
        }
        if !self.cut.span.is_after(pts, base) {
            self.release(self.held.len());
            return self.take(packet, pts);
        }
        // Nothing that comes later in the file is shown before its own decoding time.
        if packet.dts().is_some_and(|dts| self.is_behind(dts)) {
            self.close();
            if packet.dts().is_some_and(|dts| self.is_behind(dts) && dts > self.latest) {
                self.is_done = true;
                return Ok(());
            }
        }
        self.held.push_back(self.prepared(packet, pts)?);
        Ok(())
    }

    pub(super) fn end(&mut self) {
        self.close();
        self.is_done = true;
    }

    fn is_behind(&self, time: i64) -> bool {
        self.cut.span.is_after(time, self.cut.time_base)
    }

    /// Lets all held packets in that are shown before something that is in.
    fn close(&mut self) {
        while let Some(at) = self.held.iter().rposition(|held| held.pts().is_some_and(|pts| pts < self.latest)) {
            self.release(at + 1);
        }
    }

    fn release(&mut self, count: usize) {
        for packet in self.held.drain(..count.min(self.held.len())) {
            self.latest = self.latest.max(packet.pts().unwrap_or(i64::MIN));
            self.extent.add(&packet, self.cut.usual_duration);
            self.ready.push_back(packet);
        }
    }

    fn take(&mut self, packet: &Packet, pts: i64) -> Result<(), MediaError> {
        let packet = self.prepared(packet, pts)?;
        self.latest = self.latest.max(pts);
        self.extent.add(&packet, self.cut.usual_duration);
        self.ready.push_back(packet);
        Ok(())
    }

    /// The packet with both of its times, decoding times growing.
    fn prepared(&mut self, packet: &Packet, pts: i64) -> Result<Packet, MediaError> {
        let mut packet = share(packet)?;
        let next = self.last_dts.map(|last| last + 1);
        let dts = packet.dts().or(next).unwrap_or(pts).min(pts).max(next.unwrap_or(i64::MIN));
        self.last_dts = Some(dts);
        packet.set_pts(Some(pts));
        packet.set_dts(Some(dts));
        if packet.duration() <= 0 {
            packet.set_duration(self.cut.usual_duration);
        }
        Ok(packet)
    }

    /// Where the container states no presentation time, the decoding time is it, unless frames are reordered.
    fn presentation_time(&self, packet: &Packet) -> Result<Option<i64>, MediaError> {
        match (packet.pts(), packet.dts()) {
            (Some(pts), _) => Ok(Some(pts)),
            (None, Some(dts)) if !self.cut.is_reordered => Ok(Some(dts)),
            (None, None) if self.start.is_none() => Ok(None),
            _ => Err(MediaError::Muxer {
                container: "copied".into(),
                detail: "the source has packets without presentation times: encode it instead".into(),
            }),
        }
    }
}

/// Copies the audio packets that begin in the span.
pub(super) struct CopiedAudio {
    cut: Cut,
    extent: Extent,
    is_done: bool,
}

impl CopiedAudio {
    pub(super) fn new(cut: Cut) -> Self {
        Self { cut, extent: Extent::default(), is_done: false }
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    pub(super) fn extent(&self) -> Extent {
        self.extent
    }

    /// The packet for the file, its times as the source counts, if it is in the span.
    pub(super) fn take(&mut self, packet: &Packet) -> Result<Option<Packet>, MediaError> {
        let Some(pts) = packet.pts().or(packet.dts()) else { return Ok(None) };
        let Cut { span, time_base, keeps_preroll, usual_duration, .. } = self.cut;
        if span.is_after(pts, time_base) {
            self.is_done = true;
            return Ok(None);
        }
        if !keeps_preroll && (span.is_before(pts, time_base) || is_discarded(packet)) {
            return Ok(None);
        }
        let mut packet = share(packet)?;
        packet.set_pts(Some(pts));
        packet.set_dts(packet.dts().or(Some(pts)));
        self.extent.add(&packet, usual_duration);
        Ok(Some(packet))
    }
}

/// Moves a packet's times so that `zero` becomes 0.
pub(super) fn shift(packet: &mut Packet, zero: i64) {
    packet.set_pts(packet.pts().map(|pts| pts - zero));
    packet.set_dts(packet.dts().map(|dts| dts - zero));
}
