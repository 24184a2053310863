//! Limits per host, connection reuse, and the circuit breaker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clipmill::config::Reading;
use clipmill::sample::FailureClass::*;
use futures_util::future::join_all;

use crate::fault_server::{FaultServer, respond};
use crate::lab::{Lab, media, options, reading};

fn slow_server() -> FaultServer {
    FaultServer::start(|_, stream| {
        sleep(Duration::from_millis(40));
        respond(stream, "200 OK", &[], &media(3000))
    })
}

async fn fetch_all(lab: &Lab, server: &FaultServer, count: usize) {
    let urls: Vec<_> = (0..count).map(|n| server.url(&format!("/{n}"))).collect();
    for all in join_all(urls.iter().map(|url| lab.bytes(url))).await {
        assert_eq!(all, media(3000));
    }
}

#[tokio::test]
async fn connections_are_reused() {
    let server = FaultServer::start(|_, stream| respond(stream, "200 OK", &[], &media(3000)));
    let lab = Lab::new(reading());
    for n in 0..20 {
        lab.bytes(&server.url(&format!("/{n}"))).await;
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn transfers_in_flight_are_limited_per_rank() {
    let server = slow_server();
    fetch_all(&Lab::new(reading()), &server, 40).await;
    assert!((2..=16).contains(&server.most_active()), "{}", server.most_active());
}

#[tokio::test]
async fn requests_in_flight_per_host_are_limited_over_the_job() {
    for (max_per_host, world, most) in [(3, 1, 3), (4, 2, 2), (2, 16, 1)] {
        let server = slow_server();
        let reading = Reading { max_per_host: Some(max_per_host), ..reading() };
        fetch_all(&Lab::with(reading, world, 1 << 30, options()), &server, 8).await;
        assert_eq!(server.most_active(), most, "{max_per_host} over {world} ranks");
    }
}

#[tokio::test]
async fn requests_per_second_are_limited_and_the_wait_is_off_the_samples_clock() {
    let server = FaultServer::start(|_, stream| respond(stream, "200 OK", &[], &media(3000)));
    // 10 per second over 2 ranks: one every 200 ms, so the last one waits longer than its own time.
    let limits = Reading { requests_per_second_per_host: Some(10.0), total_timeout: 0.5, ..reading() };
    let lab = Lab::with(limits, 2, 1 << 30, options());
    let start = Instant::now();
    fetch_all(&lab, &server, 5).await;
    assert!(start.elapsed() >= Duration::from_millis(800), "too fast: {:?}", start.elapsed());
}

#[tokio::test]
async fn waiting_for_a_slot_is_off_the_samples_clock() {
    let server = FaultServer::start(|_, stream| {
        sleep(Duration::from_millis(150));
        respond(stream, "200 OK", &[], &media(3000))
    });
    fetch_all(&Lab::new(Reading { max_per_host: Some(1), total_timeout: 0.7, ..reading() }), &server, 8).await;
}

#[tokio::test]
async fn a_host_that_refuses_again_and_again_is_left_alone_until_it_serves() {
    for refusal in ["403 Forbidden", "429 Too Many Requests", "503 Service Unavailable"] {
        let healthy = Arc::new(AtomicBool::new(false));
        let state = Arc::clone(&healthy);
        let server = FaultServer::start(move |_, stream| {
            let status = if state.load(Ordering::SeqCst) { "200 OK" } else { refusal };
            respond(stream, status, &[], &media(3000))
        });
        let limits = Reading { breaker_threshold: 4, breaker_cooldown: 1.0, retries: 100, ..reading() };
        let lab = Lab::new(limits);
        // Retries count as refusals, and end when the breaker opens: not 100 of them.
        while !matches!(lab.class(&server.url("/")).await, Blocked) {}
        let asked = server.requests().len();
        assert_eq!(asked, 4, "{refusal}");
        for _ in 0..50 {
            let (class, message) = lab.failure(&server.url("/")).await;
            assert_eq!(class, Blocked);
            assert!(message.contains("retry_failed"), "{message}");
        }
        healthy.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(lab.bytes(&server.url("/")).await, media(3000), "the probe");
        fetch_all(&lab, &server, 10).await;
    }
}

#[tokio::test]
async fn refused_connections_open_the_breaker() {
    let lab = Lab::new(Reading { breaker_threshold: 3, retries: 0, ..reading() });
    let mut classes = Vec::new();
    for _ in 0..5 {
        classes.push(lab.class("http://127.0.0.1:1/").await);
    }
    assert_eq!(classes, [Connect, Connect, Connect, Blocked, Blocked]);
}

#[tokio::test]
async fn other_failures_leave_the_breaker_closed() {
    let server = FaultServer::start(|_, stream| respond(stream, "404 Not Found", &[], b""));
    let lab = Lab::new(Reading { breaker_threshold: 2, ..reading() });
    for _ in 0..10 {
        assert_eq!(lab.class(&server.url("/")).await, Http(404));
    }
}
