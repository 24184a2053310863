//! Scales, crops and pads pictures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::edit::{Edit, Picture};
use super::{Needs, Problem, Subsampler};
use crate::sample::Failure;

/// Settings of `ResolutionSubsampler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Width and height of the target, pixels; -1: see `width` and `height`.
    pub video_size: i64,
    /// Pixels; -1: whatever keeps the shape.
    pub height: i64,
    /// Pixels; -1: whatever keeps the shape.
    pub width: i64,
    /// Any of `scale`, `crop`, `pad`, as a list or with commas; always done in this order.
    pub resize_mode: Modes,
    /// `scale` alone fits the shorter side to `video_size`; else the height, as video2dataset does.
    pub shorter_side: bool,
    /// Where `pad` puts the picture.
    pub pad_position: PadPosition,
    /// Accepted for old configs; `encode_formats` says it.
    pub encode_format: String,
}

/// `"scale,crop"` or `[scale, crop]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Modes {
    Text(String),
    List(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PadPosition {
    /// In the middle.
    Center,
    /// As video2dataset does.
    TopLeft,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            video_size: -1,
            height: -1,
            width: -1,
            resize_mode: Modes::Text(String::new()),
            shorter_side: false,
            pad_position: PadPosition::Center,
            encode_format: "mp4".into(),
        }
    }
}

/// What is done, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Doing {
    scale: bool,
    crop: bool,
    pad: bool,
}

impl Settings {
    fn doing(&self) -> Result<Doing, String> {
        let words: Vec<&str> = match &self.resize_mode {
            Modes::Text(text) => text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect(),
            Modes::List(words) => words.iter().map(String::as_str).collect(),
        };
        let mut doing = Doing::default();
        for word in words {
            match word {
                "scale" => doing.scale = true,
                "crop" => doing.crop = true,
                "pad" => doing.pad = true,
                other => return Err(other.to_owned()),
            }
        }
        Ok(doing)
    }

    /// Width and height that were asked for.
    fn target(&self) -> (Option<u32>, Option<u32>) {
        let wanted = |n: i64| u32::try_from(n).ok().filter(|n| *n > 0);
        match wanted(self.video_size) {
            Some(size) => (Some(size), Some(size)),
            None => (wanted(self.width), wanted(self.height)),
        }
    }

    /// The chain of FFmpeg's filters for an upright picture, and the size that comes out.
    pub fn chain(&self, from: Picture) -> (Vec<String>, Picture) {
        let doing = self.doing().unwrap_or_default();
        let (width, height) = self.target();
        let mut chain = Vec::new();
        let mut size = from;
        if doing.scale {
            size = self.scaled(from, doing);
            chain.push(format!("scale={}:{}", size.width, size.height));
        }
        if doing.crop {
            let cut = Picture { width: cropped(size.width, width), height: cropped(size.height, height) };
            chain.push(format!("crop={}:{}", cut.width, cut.height));
            size = cut;
        }
        if doing.pad {
            let padded = Picture { width: padded_side(size.width, width), height: padded_side(size.height, height) };
            let (x, y) = match self.pad_position {
                PadPosition::TopLeft => (0, 0),
                PadPosition::Center => ((padded.width - size.width) / 2, (padded.height - size.height) / 2),
            };
            chain.push(format!("pad={}:{}:{x}:{y}", padded.width, padded.height));
            size = padded;
        }
        (chain, size)
    }

    fn scaled(&self, from: Picture, doing: Doing) -> Picture {
        let by_height = |height: u32| Picture { width: side(height, from.width, from.height), height };
        let by_width = |width: u32| Picture { width, height: side(width, from.height, from.width) };
        match self.target() {
            (Some(width), Some(height)) if doing.crop || doing.pad => {
                let (first, second) = (by_height(height), by_width(width));
                // To crop, the picture has to cover the target; only to pad, it has to fit in.
                let covers = first.width >= width;
                if covers == doing.crop || first.width == width { first } else { second }
            }
            (Some(size), Some(_)) if self.shorter_side && self.video_size > 0 && from.width < from.height => {
                by_width(size)
            }
            (_, Some(height)) => by_height(height),
            (Some(width), None) => by_width(width),
            (None, None) => from,
        }
    }
}

/// The other side, in proportion, to the nearest even number, as FFmpeg's `scale=-2:…` has it; at least 2.
fn side(known: u32, other: u32, of: u32) -> u32 {
    let (known, other, of) = (u64::from(known), u64::from(other), u64::from(of.max(1)) * 2);
    let half = (known * other + of / 2) / of;
    u32::try_from(half * 2).unwrap_or(u32::MAX).max(2)
}

/// A side after cropping. Even, as FFmpeg's `crop` makes it for 4:2:0, where the source has more than one pixel.
fn cropped(side: u32, wanted: Option<u32>) -> u32 {
    let side = wanted.map_or(side, |wanted| wanted.min(side));
    if side < 2 { side } else { side & !1 }
}

/// A side after padding. Even: FFmpeg's `pad` rounds an odd one down, and then finds no room for the picture.
fn padded_side(side: u32, wanted: Option<u32>) -> u32 {
    wanted.map_or(side, |wanted| wanted.max(side)).next_multiple_of(2)
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        needs.encode |= self.doing().is_ok_and(|doing| doing != Doing::default());
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add =
            |key: &str, message: &str, help: &str| found.push(Problem::new(format!("args.{key}"), message, help));
        match self.doing() {
            Err(word) => add("resize_mode", &format!("`{word}` is no way to resize"), "use scale, crop, pad"),
            Ok(doing) if doing == Doing::default() => {
                add("resize_mode", "nothing to do", "use any of scale, crop, pad")
            }
            Ok(_) => {}
        }
        if self.video_size > 0 && (self.width > 0 || self.height > 0) {
            add("video_size", "excludes width and height", "give either");
        } else if self.target() == (None, None) {
            add("video_size", "no size is given", "give video_size, or width and height");
        }
        for (key, value) in [("video_size", self.video_size), ("width", self.width), ("height", self.height)] {
            if value != -1 && !(2..=16384).contains(&value) {
                add(key, "is no size", "give 2 to 16384 pixels, or -1");
            } else if value > 0 && value % 2 == 1 {
                add(key, "is odd, which most videos cannot be", "give an even number of pixels");
            }
        }
        found
    }

    fn edit(&self, picture: Picture, edit: &mut Edit) -> Result<(), Failure> {
        let (chain, _) = self.chain(picture);
        edit.picture = (!chain.is_empty()).then(|| chain.join(","));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(settings: &Settings, width: u32, height: u32) -> (String, (u32, u32)) {
        let (chain, size) = settings.chain(Picture { width, height });
        (chain.join(","), (size.width, size.height))
    }

    fn settings(video_size: i64, modes: &str) -> Settings {
        Settings { video_size, resize_mode: Modes::Text(modes.into()), ..Settings::default() }
    }

    #[test]
    fn portrait_and_narrow_pictures_are_covered_and_cropped() {
        let all = settings(224, "scale,crop,pad");
        let landscape = ("scale=398:224,crop=224:224,pad=224:224:0:0".to_owned(), (224, 224));
        assert_eq!(size(&all, 1280, 720), landscape);
        assert_eq!(size(&all, 720, 1280), ("scale=224:398,crop=224:224,pad=224:224:0:0".to_owned(), (224, 224)));
        assert_eq!(size(&all, 48, 1000).1, (224, 224));
        assert_eq!(size(&all, 224, 224).1, (224, 224));
        assert_eq!(size(&settings(224, "scale, pad"), 1280, 720).0, "scale=224:126,pad=224:224:0:49");
        assert_eq!(size(&settings(224, "crop,pad"), 100, 300).0, "crop=100:224,pad=224:224:62:0");
    }

    #[test]
    fn scale_alone_fits_the_height_or_the_shorter_side() {
        let plain = settings(224, "scale");
        assert_eq!(size(&plain, 360, 640).1, (126, 224));
        assert_eq!(size(&Settings { shorter_side: true, ..plain.clone() }, 360, 640).1, (224, 398));
        assert_eq!(size(&plain, 640, 272).1, (528, 224));
        let wide = Settings { width: 320, resize_mode: Modes::List(vec!["scale".into()]), ..Settings::default() };
        assert_eq!(size(&wide, 1920, 800).1, (320, 134));
        assert_eq!(size(&settings(224, "scale"), 2, 10_000).1, (2, 224));
    }

    /// Runs the chain through the `ffmpeg` program and reads the size that comes out of it.
    #[cfg(feature = "media")]
    fn ffmpeg(from: Picture, chain: &str) -> Result<(u32, u32), String> {
        let source = format!("testsrc=s={}x{}:d=0.04:r=25,format=yuv420p,{chain}", from.width, from.height);
        let arguments = ["-v", "error", "-f", "lavfi", "-i", &source, "-frames:v", "1", "-f", "framehash", "-"];
        let output =
            std::process::Command::new("ffmpeg").args(arguments).output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let size = text.lines().find_map(|line| line.strip_prefix("#dimensions 0: "));
        let (width, height) = size
            .and_then(|size| size.split_once('x'))
            .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok((width.parse().map_err(|_| text.clone())?, height.parse().map_err(|_| text.clone())?))
    }

    #[cfg(feature = "media")]
    #[test]
    fn ffmpeg_makes_the_sizes_that_are_told() {
        let one = |width: i64, height: i64, modes: &str| Settings {
            width,
            height,
            resize_mode: Modes::Text(modes.into()),
            ..Settings::default()
        };
        let all = [
            settings(224, "scale"),
            settings(224, "scale,crop,pad"),
            settings(224, "crop"),
            settings(224, "crop,pad"),
            one(100, -1, "crop"),
            one(-1, 224, "pad"),
            one(300, -1, "pad"),
            one(-1, 224, "scale,pad"),
        ];
        for (width, height) in [(175, 99), (98, 176), (1279, 719), (334, 188), (48, 301), (3, 400)] {
            let from = Picture { width, height };
            for settings in &all {
                let (chain, told) = size(settings, width, height);
                assert_eq!(ffmpeg(from, &chain), Ok(told), "{width}x{height} {chain}");
                assert!(told.0 % 2 == 0 && told.1 % 2 == 0, "{width}x{height} {chain}");
            }
            // The same as FFmpeg works out by itself.
            let (_, (scaled, _)) = size(&settings(224, "scale"), width, height);
            let itself = ffmpeg(from, "scale=-2:224").map(|size| size.0);
            assert!(itself == Ok(scaled) || scaled == 2, "{width}x{height}: {scaled}, {itself:?}");
        }
    }

    #[test]
    fn impossible_settings() {
        let keys = |settings: Settings| settings.problems().into_iter().map(|p| p.key).collect::<Vec<_>>();
        assert_eq!(keys(settings(224, "stretch")), ["args.resize_mode"]);
        assert_eq!(keys(settings(-1, "scale")), ["args.video_size"]);
        assert_eq!(keys(settings(225, "scale")), ["args.video_size"]);
        assert_eq!(keys(Settings { width: 10, ..settings(224, "scale") }), ["args.video_size"]);
        assert!(keys(settings(224, "scale,crop")).is_empty());
    }
}
