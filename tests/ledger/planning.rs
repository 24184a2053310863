//! Plans: keys over inputs, differences, extension, starting over.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clipmill::ledger::storage::Storage;
use clipmill::ledger::storage::testing::{Act, Fault, Hooked};
use clipmill::ledger::{
    Beat, Checkpoint, ColumnSpec, Commit, ExtendInput, InputFingerprint, Ledger, LedgerError, Next, Options, Owner,
    Plan, PlanSpec, PlanWriter, Planner, Todo, overwrite, planner,
};
use clipmill::sample::{Cell, Column, ColumnKind, Failure, FailureClass};
use rustix::io::Errno;
use serde_json::json;

use crate::script::{
    self, TTL, check_complete, fingerprint, live_owner, local, names, options, push_rows, quick, remote_owner, spec,
};

/// Two inputs of 7 and 2 rows, 3 rows a shard.
fn two_inputs(root: &Path) -> Plan {
    let mut writer = PlanWriter::begin(local(root), spec(3)).unwrap();
    push_rows(&mut writer, 0..7).unwrap();
    writer.end_input(fingerprint("a.csv", "seven")).unwrap();
    push_rows(&mut writer, 7..9).unwrap();
    writer.end_input(fingerprint("b.csv", "two")).unwrap();
    writer.finish().unwrap()
}

fn both() -> Vec<InputFingerprint> {
    vec![fingerprint("a.csv", "seven"), fingerprint("b.csv", "two")]
}

fn urls(plan: &Plan, root: &Path, shard: u64) -> Vec<String> {
    let rows = plan.read_shard(&*local(root), shard).unwrap();
    assert_eq!(rows.len(), plan.rows_in(shard) as usize);
    rows.iter().map(|row| row.cells[1].as_str().unwrap().to_owned()).collect()
}

#[test]
fn shard_ids_keep_running_over_inputs_and_no_shard_spans_two() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    two_inputs(root);
    let plan = Plan::load(&*local(root)).unwrap().unwrap();
    assert_eq!((plan.shards(), plan.rows()), (4, 9));
    assert_eq!((0..5).map(|shard| plan.rows_in(shard)).collect::<Vec<_>>(), [3, 3, 1, 2, 0]);
    let all: Vec<_> = (0..4).flat_map(|shard| urls(&plan, root, shard)).collect();
    assert_eq!(all, (0..9).map(script::url).collect::<Vec<_>>());
    assert!(matches!(plan.read_shard(&*local(root), 4), Err(LedgerError::NoSuchShard { shard: 4, shards: 4 })));
}

#[test]
fn cells_come_back_as_their_columns_kind() {
    let folder = tempfile::tempdir().unwrap();
    let columns = ["int", "float", "bool", "text", "list"].map(ColumnSpec::inferred);
    let columns = columns.into_iter().chain([ColumnSpec::text("url")]).collect();
    let mut writer = PlanWriter::begin(local(folder.path()), PlanSpec { columns, ..spec(10) }).unwrap();
    let list = || Cell::Json(json!([[0.5, 1]]));
    let text = Cell::Text;
    let odd = "line\nbreak, \"quote\", \u{1f3ac}";
    let rows: [[Cell<'_>; 6]; 3] = [
        [text("1"), text("1"), text("True"), text("007"), list(), text("5")],
        [text(""), text("2.5"), text("false"), text(odd), Cell::Null, text("")],
        [text("-3"), Cell::Null, text(""), text("x"), list(), text("7")],
    ];
    let problem = Failure::new(FailureClass::BadRow, "4 fields where 6 are expected");
    writer.push_row(&rows[0], None).unwrap();
    writer.push_row(&rows[1], Some(&problem)).unwrap();
    writer.push_row(&rows[2], None).unwrap();
    assert!(matches!(writer.push_row(&rows[0][..5], None), Err(LedgerError::CellCount { expected: 6, found: 5 })));
    writer.end_input(fingerprint("a.csv", "x")).unwrap();
    let plan = writer.finish().unwrap();
    let kinds: Vec<_> = plan.columns().iter().map(|column| column.kind).collect();
    use ColumnKind::*;
    assert_eq!(kinds, [Integer, Float, Boolean, String, Json, String]);
    let read = plan.read_shard(&*local(folder.path()), 0).unwrap();
    let expected = [
        json!([1, 1.0, true, "007", [[0.5, 1]], "5"]),
        json!([null, 2.5, false, odd, null, null]),
        json!([-3, null, null, "x", [[0.5, 1]], "7"]),
    ];
    for (index, (row, cells)) in read.iter().zip(expected).enumerate() {
        assert_eq!((json!(row.cells), row.index as usize), (cells, index));
        assert_eq!(row.problem.as_ref(), (index == 1).then_some(&problem));
    }
}

#[test]
fn many_rows_take_several_segments_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut writer = PlanWriter::begin(local(root), spec(100)).unwrap().segment_bytes(10_000);
    push_rows(&mut writer, 0..20_050).unwrap();
    writer.end_input(fingerprint("a.csv", "x")).unwrap();
    let plan = writer.finish().unwrap();
    assert_eq!(plan.shards(), 201);
    let segments = names(&root.join("_clipmill/plan")).len();
    assert!((5..100).contains(&segments), "{segments}");
    // Backwards, so that no reader can live off the order.
    for shard in (0..201).rev() {
        let last = (shard * 100 + 100).min(20_050);
        assert_eq!(urls(&plan, root, shard), (shard * 100..last).map(script::url).collect::<Vec<_>>());
    }
}

#[test]
fn a_spoiled_segment_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    two_inputs(root);
    let file = root.join("_clipmill/plan").join(names(&root.join("_clipmill/plan")).pop_first().unwrap());
    let whole = std::fs::read(&file).unwrap();
    for at in (8..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&file, bytes).unwrap();
        let plan = Plan::load(&*local(root)).unwrap().unwrap();
        assert!((0..4).any(|shard| plan.read_shard(&*local(root), shard).is_err()), "byte {at}");
    }
}

#[test]
fn every_difference_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let plan = two_inputs(folder.path());
    plan.check(&spec(3), &both()).unwrap();
    // The folder of the tables may be mounted elsewhere, and the time may change without the content.
    let moved = InputFingerprint { path: "/mnt/a.csv".into(), mtime_ns: 8, ..both()[0].clone() };
    plan.check(&spec(3), &[moved, both()[1].clone()]).unwrap();

    let mut now = PlanSpec { number_sample_per_shard: 500, oom_shard_count: 6, ..spec(3) };
    now.columns.push(ColumnSpec::text("caption"));
    now.config = [("subsampling", "{\"FFProbeSubsampler\":{}}"), ("job.encode_formats", "{}")]
        .map(|(part, value)| (part.to_owned(), value.to_owned()))
        .into();
    let unread = InputFingerprint { sha256: None, mtime_ns: 8, ..fingerprint("b.csv", "two") };
    let inputs = [fingerprint("a.csv", "eight!"), unread, fingerprint("c.csv", "new")];
    let error = plan.check(&now, &inputs).unwrap_err();
    let expected = [
        "storage.number_sample_per_shard: planned 3, now 500",
        "storage.oom_shard_count: planned 5, now 6",
        "columns: planned id, url, now id, url, caption",
        "job.encode_formats: planned absent, now {}",
        "subsampling: planned {}, now {\"FFProbeSubsampler\":{}}",
        "input a.csv: planned with 5 bytes, now 6",
        "input b.csv: it was modified",
        "input c.csv: not planned",
    ];
    assert_eq!(error.differences, expected);
    for mode in ["overwrite", "extend"] {
        assert!(error.to_string().contains(&format!("incremental_mode: {mode}")));
    }
    let error = plan.check(&spec(3), &both()[..1]).unwrap_err();
    assert_eq!(error.differences, ["input b.csv: planned, now absent"]);
    let changed = plan.check(&spec(3), &[fingerprint("a.csv", "SEVEN"), both()[1].clone()]).unwrap_err();
    assert_eq!(changed.differences, ["input a.csv: its content changed"]);
}

#[test]
fn one_of_many_plans_and_the_others_wait() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let planned = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for rank in 0..6 {
            let planned = &planned;
            scope.spawn(move || match planner(&local(root), &remote_owner(rank), TTL, &|_| true, &|| false).unwrap() {
                Planner::Me(_turn) => {
                    // Longer than the time to live: the turn is kept alive.
                    std::thread::sleep(TTL * 3);
                    two_inputs(root);
                    planned.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                }
                Planner::Published(plan) => assert_eq!(plan.rows(), 9),
                Planner::Stopped => panic!("nobody says stop"),
            });
        }
    });
    assert_eq!(planned.into_inner(), 1);
    let waiting = |plan: &Plan| plan.revision() > 1;
    let _turn = planner(&local(root), &live_owner(0), TTL, &waiting, &|| false).unwrap();
    assert!(matches!(planner(&local(root), &live_owner(1), TTL, &waiting, &|| true).unwrap(), Planner::Stopped));
}

#[test]
fn a_planner_that_wakes_up_late_loses_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut late = PlanWriter::begin(local(root), spec(3)).unwrap();
    push_rows(&mut late, 0..2).unwrap();
    two_inputs(root);
    late.end_input(fingerprint("late.csv", "late")).unwrap();
    assert!(matches!(late.finish(), Err(LedgerError::PlannedByAnother)));
    let plan = Plan::load(&*local(root)).unwrap().unwrap();
    assert_eq!(urls(&plan, root, 3).len(), 2);
    assert_eq!(names(&root.join("_clipmill/plan")).len(), 1);
    assert!(matches!(PlanWriter::begin(local(root), spec(3)), Err(LedgerError::PlannedByAnother)));
}

fn inputs(all: &[(&str, &str, Option<&str>)]) -> Vec<ExtendInput> {
    let input = |(path, content, prefix): &(&str, &str, Option<&str>)| ExtendInput {
        now: fingerprint(path, content),
        prefix_sha256: prefix.and_then(|prefix| fingerprint("", prefix).sha256),
    };
    all.iter().map(input).collect()
}

#[test]
fn new_rows_become_new_shards_after_the_last_and_committed_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let old = two_inputs(root);
    let mut ledger = Ledger::open(local(root), Arc::new(old), live_owner(0), options(0, 1)).unwrap();
    let old = Plan::load(&*local(root)).unwrap().unwrap();
    let Next::Take(lease) = ledger.next().unwrap() else { panic!("a shard is left") };
    script::work(&*local(root), &old, &lease).unwrap();
    drop(ledger);

    let now = inputs(&[("a.csv", "seven+1", Some("seven")), ("b.csv", "two", None), ("c.csv", "new", None)]);
    let (mut writer, todo) = PlanWriter::extend(local(root), &old, spec(3), &now).unwrap();
    assert_eq!(todo, [Todo { input: 0, skip_rows: 7 }, Todo { input: 2, skip_rows: 0 }]);
    push_rows(&mut writer, 100..101).unwrap();
    writer.end_input(now[0].now.clone()).unwrap();
    push_rows(&mut writer, 200..204).unwrap();
    writer.end_input(now[2].now.clone()).unwrap();
    writer.finish().unwrap();

    let plan = Plan::load(&*local(root)).unwrap().unwrap();
    assert_eq!((plan.revision(), plan.shards(), plan.rows()), (2, 7, 14));
    assert_eq!(urls(&plan, root, 0), (0..3).map(script::url).collect::<Vec<_>>());
    assert_eq!(urls(&plan, root, 4), [script::url(100)]);
    assert_eq!(urls(&plan, root, 6), [script::url(203)]);
    let current: Vec<_> = now.iter().map(|input| input.now.clone()).collect();
    plan.check(&spec(3), &current).unwrap();
    assert!(plan.accepts(old.hash()) && plan.hash() != old.hash());
    let ledger = Ledger::open(local(root), Arc::new(plan), live_owner(0), options(0, 1)).unwrap();
    assert_eq!((ledger.done(), ledger.shards()), (1, 7));
}

#[test]
fn an_extension_refuses_changed_inputs_and_changed_columns() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let plan = two_inputs(root);
    for (content, prefix) in [("SEVEN", None), ("seven+1", None), ("seven+1", Some("SEVEN")), ("sev", Some("sev"))] {
        let now = inputs(&[("a.csv", content, prefix), ("b.csv", "two", None)]);
        let error = PlanWriter::extend(local(root), &plan, spec(3), &now).unwrap_err().to_string();
        assert!(error.contains("input a.csv: ") && error.contains("not by rows added"), "{error}");
    }
    let now = inputs(&[("a.csv", "seven", None)]);
    let error = PlanWriter::extend(local(root), &plan, spec(4), &now).unwrap_err().to_string();
    assert!(error.contains("planned 3, now 4") && error.contains("input b.csv: planned, now absent"), "{error}");

    let now = inputs(&[("a.csv", "seven", None), ("b.csv", "two", None), ("c.csv", "new", None)]);
    let (mut writer, _) = PlanWriter::extend(local(root), &plan, spec(3), &now).unwrap();
    writer.push_row(&[Cell::Text("not a number"), Cell::Text("u")], None).unwrap();
    writer.end_input(now[2].now.clone()).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("`id` was planned as integer"), "{error}");
    assert_eq!(Plan::load(&*local(root)).unwrap().unwrap().revision(), 1);
    let id = Column { name: "id".into(), kind: ColumnKind::Integer };
    assert_eq!(Plan::load(&*local(root)).unwrap().unwrap().columns()[0], id);
}

#[test]
fn overwrite_removes_what_clipmill_wrote_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    script::rank(&quick(root), live_owner(0), options(0, 1), 3).unwrap();
    std::fs::write(root.join("notes.json"), "mine").unwrap();
    std::fs::write(root.join("00001.txt"), "mine").unwrap();
    assert!(overwrite(&quick(root), &live_owner(0), TTL, &|| false).unwrap());
    let left = ["00001.txt", "_clipmill", "notes.json"].map(str::to_owned);
    assert_eq!(names(root), left.into());
    assert!(Plan::load(&*local(root)).unwrap().is_none());
    for file in ["notes.json", "00001.txt"] {
        std::fs::remove_file(root.join(file)).unwrap();
    }
    script::rank(&quick(root), live_owner(0), options(0, 1), 2).unwrap();
    check_complete(root, 2);
}

#[test]
fn foreign_shards_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    script::rank(&quick(root), live_owner(0), options(0, 1), 2).unwrap();
    std::fs::write(root.join("00007.tar"), "another tool's").unwrap();
    let error = overwrite(&quick(root), &live_owner(0), TTL, &|| false).unwrap_err().to_string();
    assert!(error.contains("00007.tar") && !error.contains("00000.tar"), "{error}");
    assert!(root.join("00000.tar").exists(), "nothing was removed");

    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::write(root.join("00000_stats.json"), "{}").unwrap();
    let error = PlanWriter::begin(local(root), spec(3)).unwrap_err();
    assert!(matches!(&error, LedgerError::Foreign { files } if files == &["00000_stats.json"]), "{error}");
}

#[test]
fn overwrite_refuses_while_another_job_is_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let plan = script::plan(&local(root), &remote_owner(0), 2).unwrap();
    let mut ledger = Ledger::open(local(root), plan, remote_owner(0), options(0, 1)).unwrap();
    let Next::Take(lease) = ledger.next().unwrap() else { panic!("a shard is left") };
    let stop = std::sync::atomic::AtomicBool::new(false);
    let me = Owner { job: Some("slurm:2".into()), ..live_owner(0) };
    let ttl = Duration::from_millis(600);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                assert_eq!(lease.beat(&Checkpoint { rows: 0, files: vec![] }).unwrap(), Beat::Held);
                std::thread::sleep(ttl / 30);
            }
        });
        let error = overwrite(&local(root), &me, ttl, &|| false).unwrap_err();
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(matches!(&error, LedgerError::InUse { job, .. } if job == "slurm:1"), "{error}");
    });
    assert!(overwrite(&local(root), &me, TTL, &|| false).unwrap(), "a silent one is no hindrance");
    // Its owner wakes up in a folder that is another plan's, first with nobody at work, then with a new owner.
    let plan = script::plan(&local(root), &me, 1).unwrap();
    for taken in [false, true] {
        let mut ledger = Ledger::open(local(root), Arc::clone(&plan), me.clone(), options(0, 1)).unwrap();
        let _new = taken.then(|| ledger.next().unwrap());
        let tar = script::Tar::open(&lease).unwrap();
        let stats = script::finish(&lease, tar, Default::default()).unwrap();
        assert_eq!(lease.commit(&stats).unwrap(), Commit::Lost);
        assert_eq!(names(root), ["_clipmill".to_owned()].into());
        assert_eq!(names(&root.join("_clipmill/leases")).len(), usize::from(taken), "the new owner's lease stays");
    }
}

#[test]
fn an_overwrite_that_dies_at_any_call_can_be_run_again_and_only_so() {
    for at in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        script::rank(&quick(root), live_owner(0), options(0, 1), 2).unwrap();
        std::fs::write(root.join("notes.json"), "mine").unwrap();
        let fault = Fault::new(at, Act::Fail(Errno::IO), true);
        let storage: Arc<dyn Storage> = Arc::new(Hooked::new(quick(root), fault.clone()));
        let first = overwrite(&storage, &live_owner(0), TTL, &|| false);
        if !fault.struck() {
            assert!(first.unwrap());
            break;
        }
        first.unwrap_err();
        if Plan::load(&*quick(root)).unwrap().is_none() {
            let error = PlanWriter::begin(quick(root), spec(3)).unwrap_err();
            assert!(matches!(error, LedgerError::HalfOverwritten), "call {at}: {error}");
        }
        assert!(overwrite(&quick(root), &live_owner(0), TTL, &|| false).unwrap());
        assert_eq!(names(root), ["_clipmill", "notes.json"].map(str::to_owned).into(), "call {at}");
        std::fs::remove_file(root.join("notes.json")).unwrap();
        script::rank(&quick(root), live_owner(0), options(0, 1), 2).unwrap();
        check_complete(root, 2);
    }
}

#[test]
fn a_job_goes_on_while_another_extends_its_plan_and_helps() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let old = Arc::new(two_inputs(root));
    let options = |rank, world| Options { lease_ttl: Duration::from_secs(60), ..options(rank, world) };
    let mut before = Ledger::open(local(root), Arc::clone(&old), live_owner(0), options(0, 1)).unwrap();
    let Next::Take(ours) = before.next().unwrap() else { panic!("a shard is left") };

    let now = inputs(&[("a.csv", "seven", None), ("b.csv", "two", None), ("c.csv", "new", None)]);
    let (mut writer, _) = PlanWriter::extend(local(root), &old, spec(3), &now).unwrap();
    push_rows(&mut writer, 200..202).unwrap();
    writer.end_input(now[2].now.clone()).unwrap();
    let new = Arc::new(writer.finish().unwrap());
    let mut after = Ledger::open(local(root), Arc::clone(&new), live_owner(1), options(0, 1)).unwrap();
    let take = |_| match after.next().unwrap() {
        Next::Take(lease) => lease,
        other => panic!("a shard is left: {other:?}"),
    };
    let theirs: Vec<_> = (1..new.shards()).map(take).collect();
    for lease in theirs {
        // The other job finds the claim before its owner has finished it.
        let rows = new.read_shard(&*local(root), lease.shard()).unwrap();
        let tar = script::write_rows(&lease, &rows);
        let stats = script::finish(&lease, tar, Default::default()).unwrap();
        let claim = root.join(format!("_clipmill/leases/{}.g0.commit", lease.name()));
        std::fs::write(&claim, &stats).unwrap();
        for _ in 0..3 {
            let Next::Wait(pause) = before.next().unwrap() else { panic!("all shards are held") };
            std::thread::sleep(pause);
        }
        assert!(
            claim.exists() || root.join(format!("{}_stats.json", lease.name())).exists(),
            "shard {}: a claim of the extended plan was removed",
            lease.name()
        );
        assert_eq!(lease.commit(&stats).unwrap(), Commit::Won);
    }
    script::work(&*local(root), &old, &ours).unwrap();
    loop {
        match before.next().expect("a record of the extended plan is no stranger's") {
            Next::Complete => break,
            Next::Wait(pause) => std::thread::sleep(pause),
            Next::Take(lease) => panic!("shard {} is taken twice", lease.name()),
            Next::GaveUp(shards) => panic!("{shards:?}"),
        }
    }
}
