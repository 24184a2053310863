//! What a worker cannot do: exactly what its level claims.

use std::net::TcpListener;

use clipmill::mill::Pool;
use serde_json::json;

use crate::lab::{options, pool, request};

#[tokio::test]
async fn the_level_keeps_its_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("precious");
    std::fs::write(&file, "precious").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pool = pool();
    let level = pool.sandbox().await.unwrap();
    let recipe = json!({"do": "probe", "file": file, "address": listener.local_addr().unwrap().to_string()});
    let answer = pool.run(request(recipe, b"media")).await.unwrap();
    assert_eq!(answer.failure, None);
    let found = &answer.outputs[0].meta;
    let refused = |names: &[&str], claimed: bool| {
        for name in names {
            assert_eq!(found[*name] != json!("done"), claimed, "{name}: {} under {level}", found[*name]);
        }
    };
    refused(&["create", "append", "remove"], level.refuses_writes());
    refused(&["read"], level.refuses_reads());
    refused(&["connect", "socket"], level.refuses_network());
    refused(&["program", "fork", "limits"], level.refuses_programs());
    refused(&["signal"], level.refuses_programs());
    refused(&["media"], true);
    refused(&["thread"], false);
    if level.refuses_writes() {
        assert_eq!(std::fs::read(&file).unwrap(), b"precious");
    }
    let environment = found["environment"].as_array().unwrap();
    assert!(!environment.iter().any(|name| name.as_str().unwrap().starts_with("CARGO")), "{environment:?}");
}

#[tokio::test]
async fn this_kernel_reaches_a_level() {
    // Every kernel that clusters run has seccomp; one that has not is told, and this test says so.
    let level = Pool::new(options(1)).unwrap().sandbox().await.unwrap();
    assert!(level.refuses_writes() && level.refuses_network(), "{level}");
}
