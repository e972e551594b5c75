//! Rounds of calls, and the clock around each.

use crate::echo_host::EchoHost;
use crate::Outcome;
use dscode_extension_host::ExtensionIpc;
use serde_json::{json, Value};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

pub async fn checked_echo(ipc: &ExtensionIpc, text: &str) -> Outcome<()> {
    let payload = json!({"command": "echo", "args": [text]});
    let reply = ipc.request("executeCommand", payload).await?;
    if reply["result"][0] == text {
        Ok(())
    } else {
        Err(format!("another text came back: {reply}").into())
    }
}

/// Makes that many calls, `in_flight` of them open at any time.
pub async fn measure(
    host: &EchoHost,
    bytes: usize,
    in_flight: usize,
    calls: usize,
) -> Outcome<Value> {
    let text: Arc<str> = "x".repeat(bytes).into();
    let begun = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..in_flight {
        callers.spawn(call_in_turn(
            Arc::clone(host.ipc()),
            Arc::clone(&text),
            Arc::clone(&begun),
            calls,
        ));
    }
    let mut times = Vec::with_capacity(calls);
    while let Some(ended) = callers.join_next().await {
        times.append(&mut ended??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    times.sort();
    let microseconds_at = |percent: usize| times[calls * percent / 100].as_secs_f64() * 1e6;
    Ok(json!({"seconds": seconds, "p50_us": microseconds_at(50), "p99_us": microseconds_at(99)}))
}

async fn call_in_turn(
    ipc: Arc<ExtensionIpc>,
    text: Arc<str>,
    begun: Arc<AtomicUsize>,
    calls: usize,
) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    while begun.fetch_add(1, Ordering::Relaxed) < calls {
        let begin = Instant::now();
        checked_echo(&ipc, &text).await?;
        times.push(begin.elapsed());
    }
    Ok(times)
}
