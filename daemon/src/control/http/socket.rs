//! The WebSocket of OSCQuery: LISTEN and IGNORE as JSON in, PATH_CHANGED as JSON out, OSC packets
//! as binary frames both ways. A connection that does not answer a ping in time, or does not read,
//! is dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use timbre_control::packet::LARGEST;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::{Site, said};
use crate::control::link::{Link, STALLED};
use crate::control::service::clients::Outgoing;

/// How often a ping is sent to a connection.
const PING: Duration = Duration::from_secs(1);
/// A connection that does not answer for this time is dropped.
const GONE: Duration = Duration::from_secs(4);

/// A command of OSCQuery.
#[derive(Deserialize)]
struct Command {
    #[serde(rename = "COMMAND")]
    command: String,
    #[serde(rename = "DATA")]
    data: String,
}

/// Turns the connection into a WebSocket.
pub(super) async fn open(upgrade: WebSocketUpgrade, site: Arc<Site>, peer: SocketAddr) -> Response {
    // The gate has allowed the request.
    let Some(mut link) = site.links.open(peer.ip(), true).await else {
        return said(StatusCode::SERVICE_UNAVAILABLE, "too many connections are open; close one");
    };
    upgrade.max_message_size(LARGEST).max_frame_size(LARGEST).on_upgrade(async move |mut socket| {
        match talk(&mut socket, &mut link).await {
            Ok(()) => tracing::debug!("WebSocket: {peer} is gone"),
            Err(why) => tracing::info!("WebSocket: {peer} is dropped: {why}"),
        }
    })
}

/// Runs until the client ends the connection; otherwise returns why it is dropped.
async fn talk(socket: &mut WebSocket, link: &mut Link) -> Result<(), String> {
    let (mut out, mut incoming) = socket.split();
    let mut ticks = interval(PING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answered = Instant::now();
    loop {
        let pause = link.pause();
        let wake = pause.unwrap_or_else(Instant::now);
        tokio::select! {
            outgoing = link.outbox.recv() => {
                let mut next = Some(outgoing.ok_or("it does not read what it is sent")?);
                let send = async {
                    while let Some(outgoing) = next.take() {
                        out.feed(frame(outgoing)).await?;
                        next = link.outbox.try_recv().ok();
                    }
                    out.flush().await
                };
                let sent = timeout(STALLED, send).await;
                sent.map_err(|_| "it does not read what it is sent")?.map_err(|e| e.to_string())?;
            }
            message = incoming.next(), if pause.is_none() => match message {
                None | Some(Ok(Message::Close(_))) => return Ok(()),
                Some(Err(e)) => return Err(e.to_string()),
                Some(Ok(Message::Binary(packet))) => {
                    if !link.packet(packet.into()).await {
                        return Ok(());
                    }
                }
                Some(Ok(Message::Text(text))) => {
                    if let Ok(Command { command, data }) = serde_json::from_str(&text)
                        && matches!(command.as_str(), "LISTEN" | "IGNORE")
                        && !link.listen(data, command == "LISTEN").await
                    {
                        return Ok(());
                    }
                }
                Some(Ok(Message::Pong(_))) => answered = Instant::now(),
                // The library answers it.
                Some(Ok(Message::Ping(_))) => {}
            },
            () = sleep_until(wake), if pause.is_some() => {}
            _ = ticks.tick() => {
                // While the connection is paused, its answers wait, too.
                if pause.is_some() {
                    answered = Instant::now();
                }
                if answered.elapsed() > GONE {
                    return Err(format!("it has not answered for {} s", GONE.as_secs()));
                }
                let sent = timeout(STALLED, out.send(Message::Ping(Bytes::new()))).await;
                sent.map_err(|_| "it does not read what it is sent")?.map_err(|e| e.to_string())?;
            }
        }
    }
}

fn frame(outgoing: Outgoing) -> Message {
    match outgoing {
        Outgoing::Packet(packet) => Message::Binary(packet),
        Outgoing::PathChanged(path) => {
            Message::Text(json!({"COMMAND": "PATH_CHANGED", "DATA": path}).to_string().into())
        }
    }
}
