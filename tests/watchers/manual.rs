//! `doc/subsamplers.md` against the registry, and its examples through the program.

use clipmill::config::{Key, keys_of};
use clipmill::subsample::registry;

use crate::job::{Ended, clipmill};
use crate::lab::{H264, Lab};

const MANUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/doc/subsamplers.md");

/// The table of one subsampler, as it must stand in the manual.
fn table(name: &str) -> String {
    let keys = keys_of(&registry::schema(name));
    if keys.is_empty() {
        return "It has no settings.\n".to_owned();
    }
    let row = |key: &Key| format!("| `{}` | {} | `{}` | {} |\n", key.path, key.kind, key.default, key.description);
    let rows: String = keys.iter().map(row).collect();
    format!("| setting | type | default | meaning |\n| --- | --- | --- | --- |\n{rows}")
}

/// With `UPDATE_MANUAL=1` the tables are written anew.
#[test]
fn every_setting_stands_in_the_manual_with_its_type_and_default() {
    let manual = std::fs::read_to_string(MANUAL).unwrap();
    let mut wanted = manual.clone();
    for name in registry::NAMES {
        assert!(manual.contains(&format!("\n## {name}\n")), "{name} has no section");
        let begin = format!("<!-- settings: {name} -->\n");
        let (before, rest) = wanted.split_once(&begin).unwrap_or_else(|| panic!("the manual lacks {begin}"));
        let (_, after) = rest.split_once("<!-- end -->").expect("a table without an end");
        wanted = format!("{before}{begin}{}<!-- end -->{after}", table(name));
    }
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(MANUAL, wanted).unwrap();
        return;
    }
    for (line, want) in manual.lines().zip(wanted.lines()) {
        assert_eq!(line, want, "doc/subsamplers.md is behind the settings: run this test with UPDATE_MANUAL=1");
    }
    assert_eq!(manual.len(), wanted.len(), "doc/subsamplers.md is behind the settings");
}

#[test]
fn the_sections_stand_in_the_order_of_the_turns_and_each_has_an_example() {
    let manual = std::fs::read_to_string(MANUAL).unwrap();
    let sections: Vec<(&str, &str)> =
        manual.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap()).collect();
    let names: Vec<&str> = sections.iter().map(|(name, _)| *name).filter(|name| name.ends_with("Subsampler")).collect();
    assert_eq!(names, registry::NAMES);
    for (name, body) in sections.iter().filter(|(name, _)| name.ends_with("Subsampler")) {
        assert!(body.contains("```yaml\n") && body.contains(name), "{name} has no example");
        assert!(body.contains("video2dataset") || *name == "NoOpSubsampler", "{name}: what is different?");
    }
}

#[test]
fn the_examples_run() {
    let lab = Lab::new();
    let media = "-f lavfi -i testsrc2=d=3:s=320x180:r=25 -f lavfi -i sine=d=3:r=48000";
    let path = lab.make("a.mp4", &format!("{media} {H264} -g 25 -c:a aac"));
    let said = "WEBVTT\n\n00:00.200 --> 00:02.400\nHello\n";
    let row = format!("{},\"[[0.2,2.4]]\",\"{said}\"\n", path.display());
    std::fs::write(lab.path("table.csv"), format!("url,clips,subtitles\n{row}")).unwrap();
    let manual = std::fs::read_to_string(MANUAL).unwrap();
    let examples: Vec<&str> = manual.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert!(examples.len() > registry::NAMES.len(), "{}", examples.len());
    for example in examples {
        std::fs::write(lab.path("job.yaml"), format!("{example}\nreading: {{allow_local_paths: true}}\n")).unwrap();
        let _ = std::fs::remove_dir_all(lab.output());
        let mut command = clipmill();
        command.arg("run").arg(lab.path("job.yaml"));
        command.args(["-o", &format!("url_list={}", lab.path("table.csv").display())]);
        command.args(["-o", &format!("output_folder={}", lab.output().display())]);
        Ended::of(command.output().unwrap()).expect(0);
        for sample in lab.samples() {
            assert_eq!(sample.json["status"], "success", "{example}: {}", sample.json);
        }
    }
}
