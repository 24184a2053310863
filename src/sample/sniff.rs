//! What the first bytes of a body say that it is.
//!
//! Servers label error pages as video and video as anything: the bytes decide, never the name or the `Content-Type`.

use super::Container;

/// Why bytes are not media: `an HTML page`, ... (to follow "answered with").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotMedia(pub &'static str);

/// Judges the first bytes (512 are enough) of a body that is not empty.
pub fn sniff(head: &[u8]) -> Result<Container, NotMedia> {
    if let Some(container) = container(head) {
        return Ok(container);
    }
    match image(head).or_else(|| archive(head)).or_else(|| text(head)) {
        Some(what) => Err(NotMedia(what)),
        None => Ok(Container::Unknown),
    }
}

fn container(head: &[u8]) -> Option<Container> {
    use Container::*;
    let starts = |magic: &[u8]| head.starts_with(magic);
    Some(match head {
        _ if starts(b"\x1a\x45\xdf\xa3") => ebml(head),
        _ if starts(b"RIFF") || starts(b"RF64") => return riff(head),
        _ if starts(b"FLV\x01") => Flv,
        _ if starts(b"OggS") => Ogg,
        _ if starts(b"fLaC") => Flac,
        _ if starts(b"ID3") => Mp3,
        _ if starts(b"GIF87a") || starts(b"GIF89a") => Gif,
        _ if starts(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11") => Asf,
        _ if starts(b"\x00\x00\x01\xba") => MpegPs,
        _ if is_transport_stream(head) => MpegTs,
        _ => return iso_media(head).or_else(|| audio_frame(head)),
    })
}

fn ebml(head: &[u8]) -> Container {
    if head.windows(4).take(64).any(|word| word == b"webm") { Container::Webm } else { Container::Matroska }
}

fn riff(head: &[u8]) -> Option<Container> {
    match head.get(8..12)? {
        b"AVI " => Some(Container::Avi),
        b"WAVE" => Some(Container::Wav),
        _ => None,
    }
}

/// Sync bytes at the packet distance: one alone is also the letter G.
fn is_transport_stream(head: &[u8]) -> bool {
    let syncs = |start: usize, packet: usize| head.iter().skip(start).step_by(packet).all(|byte| *byte == 0x47);
    (head.len() > 188 && syncs(0, 188)) || (head.len() > 196 && syncs(4, 192))
}

fn iso_media(head: &[u8]) -> Option<Container> {
    match head.get(4..8)? {
        b"ftyp" => match head.get(8..12) {
            Some(b"qt  ") => Some(Container::Mov),
            Some(brand) if STILL_BRANDS.contains(&brand) => None,
            _ => Some(Container::Mp4),
        },
        b"styp" | b"moof" | b"sidx" => Some(Container::Mp4),
        // QuickTime files from before `ftyp` start with any of these.
        b"moov" | b"mdat" | b"wide" | b"skip" | b"free" | b"pnot" => Some(Container::Mov),
        _ => None,
    }
}

/// Brands of single images in the ISO container; image sequences (`avis`, `msf1`, `hevc`) stay media.
const STILL_BRANDS: [&[u8]; 5] = [b"avif", b"heic", b"heix", b"mif1", b"mif2"];

/// The fixed part of an MPEG audio or ADTS frame header, reserved values excluded.
fn audio_frame(head: &[u8]) -> Option<Container> {
    let &[0xff, second, third, ..] = head else { return None };
    let (sync, version, layer) = (second >> 5, (second >> 3) & 3, (second >> 1) & 3);
    if sync != 7 || version == 1 {
        return None;
    }
    if layer == 0 {
        let rate = (third >> 2) & 15;
        return (second & 0xf0 == 0xf0 && rate < 13).then_some(Container::Aac);
    }
    let (bitrate, rate) = (third >> 4, (third >> 2) & 3);
    (bitrate != 15 && rate != 3).then_some(Container::Mp3)
}

fn image(head: &[u8]) -> Option<&'static str> {
    let kind = match head {
        _ if head.starts_with(b"\xff\xd8\xff") => "a JPEG image",
        _ if head.starts_with(b"\x89PNG\r\n\x1a\n") => "a PNG image",
        _ if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") => "a WebP image",
        _ if head.get(4..8) == Some(b"ftyp") => "a HEIF image",
        _ => return None,
    };
    Some(kind)
}

fn archive(head: &[u8]) -> Option<&'static str> {
    let kind = match head {
        _ if head.starts_with(b"%PDF-") => "a PDF document",
        _ if head.starts_with(b"PK\x03\x04") => "a ZIP archive",
        _ if head.starts_with(b"\x1f\x8b\x08") => "gzip data",
        _ => return None,
    };
    Some(kind)
}

fn text(head: &[u8]) -> Option<&'static str> {
    let utf16 = matches!(head, [0xff, 0xfe, 1..=255, 0, ..] | [0xfe, 0xff, 0, 1..=255, ..]);
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let starts = |word: &[u8]| head.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let contains = |word: &[u8]| head.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    // A page may hold stray binary bytes: its first tag is enough.
    if ["<!doctype html", "<html", "<head", "<body", "<script", "<title", "<meta"]
        .iter()
        .any(|tag| starts(tag.as_bytes()))
    {
        return Some("an HTML page");
    }
    if starts(b"#EXTM3U") {
        return Some("an HLS playlist (#EXTM3U)");
    }
    if !utf16 && !is_text(head) {
        return None;
    }
    Some(match head {
        _ if contains(b"<html") => "an HTML page",
        _ if contains(b"<mpd") => "a DASH manifest",
        _ if contains(b"<svg") => "an SVG image",
        _ if starts(b"<?xml") || starts(b"<") => "an XML document",
        _ if starts(b"{") || starts(b"[") => "a JSON document",
        _ => "plain text",
    })
}

/// Whether bytes read as text: UTF-8 (maybe cut in a character), or another 8-bit encoding, without the control
/// characters that binary formats are full of.
fn is_text(head: &[u8]) -> bool {
    let control = |byte: &u8| matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31 | 127);
    if head.iter().any(control) {
        return false;
    }
    match std::str::from_utf8(head) {
        Ok(_) => true,
        // A short head may lack control characters by chance.
        Err(error) => error.error_len().is_none() || head.len() >= 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(head: &[u8]) -> Vec<u8> {
        let mut all = head.to_vec();
        all.resize(512, 0);
        all
    }

    #[test]
    fn containers_by_their_magic() {
        use Container::*;
        let table: &[(&[u8], Container)] = &[
            (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", Mp4),
            (b"\0\0\0\x1cftypM4A \0\0\0\0", Mp4),
            (b"\0\0\0\x18ftyp3gp5", Mp4),
            (b"\0\0\0\x18stypmsdh", Mp4),
            (b"\0\0\0\x14ftypqt  ", Mov),
            (b"\0\x01\x02\x03moov\0\0\0\x6cmvhd", Mov),
            (b"\0\0\0\x08wide\0\x01\x02\x03mdat", Mov),
            (b"\0\0\0\x08free", Mov),
            (b"\0\0\0\x08skip", Mov),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", Webm),
            (b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\x82\x88matroska", Matroska),
            (b"RIFF\x10\0\0\0AVI LIST", Avi),
            (b"RIFF\x10\0\0\0WAVEfmt ", Wav),
            (b"FLV\x01\x05\0\0\0\x09", Flv),
            (b"OggS\0\x02", Ogg),
            (b"fLaC\0\0\0\x22", Flac),
            (b"ID3\x04\0\0", Mp3),
            (b"\xff\xfb\x90\x64", Mp3),
            (b"\xff\xf1\x50\x80\x2e\x7f\xfc", Aac),
            (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", Asf),
            (b"\0\0\x01\xba\x44\0\x04", MpegPs),
            (b"GIF89a\x01\0\x01\0", Gif),
            (b"\xde\xad\xbe\xef\x01\x02\x03", Unknown),
            (b"\0\0\0\x01\x67\x64\0\x1f", Unknown),
        ];
        for (head, want) in table {
            assert_eq!(sniff(head), Ok(*want), "{want:?}");
            assert_eq!(sniff(&padded(head)), Ok(*want), "{want:?}, padded");
        }
    }

    #[test]
    fn transport_streams_need_more_than_one_sync_byte() {
        let mut plain = vec![0; 512];
        (0..512).step_by(188).for_each(|at| plain[at] = 0x47);
        assert_eq!(sniff(&plain), Ok(Container::MpegTs));
        let mut blu_ray = vec![0; 512];
        (4..512).step_by(192).for_each(|at| blu_ray[at] = 0x47);
        assert_eq!(sniff(&blu_ray), Ok(Container::MpegTs));
        plain[188] = 0;
        assert_eq!(sniff(&plain), Ok(Container::Unknown));
        assert_eq!(sniff(b"Good morning"), Err(NotMedia("plain text")));
    }

    #[test]
    fn pages_and_documents_are_named() {
        let long_latin1 = b"caf\xe9 ".repeat(60);
        let cut_utf8 = &"é".repeat(50).into_bytes()[..99];
        let table: &[(&[u8], &str)] = &[
            (b"<!DOCTYPE html><html>", "an HTML page"),
            (b"\xef\xbb\xbf \r\n<HTML lang=en>", "an HTML page"),
            (b"<!-- cached --><html>", "an HTML page"),
            (b"<html>\0\x01\x02", "an HTML page"),
            (b"\xff\xfe<\0h\0t\0m\0l\0", "plain text"),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
            (b"<?xml version=\"1.0\"?><MPD xmlns=\"urn\">", "a DASH manifest"),
            (b"<svg xmlns=\"x\">", "an SVG image"),
            (b"{\"error\": \"not found\"}", "a JSON document"),
            (b"[1, 2]", "a JSON document"),
            (b"#EXTM3U\n#EXT-X-VERSION:3\n", "an HLS playlist (#EXTM3U)"),
            (b"Not Found", "plain text"),
            (&long_latin1, "plain text"),
            (cut_utf8, "plain text"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
            (b"\x89PNG\r\n\x1a\n\0\0", "a PNG image"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP image"),
            (b"\0\0\0\x1cftypheic", "a HEIF image"),
            (b"%PDF-1.7\n", "a PDF document"),
            (b"PK\x03\x04\x14\0", "a ZIP archive"),
            (b"\x1f\x8b\x08\0\0", "gzip data"),
        ];
        for (head, want) in table {
            assert_eq!(sniff(head), Err(NotMedia(want)), "{want}");
        }
    }
}
