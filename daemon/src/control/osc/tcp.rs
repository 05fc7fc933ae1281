//! OSC over TCP, with packets framed by SLIP or by lengths. It runs in the thread `timbred-remote`.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep_until, timeout};

use super::framing::Framing;
use crate::control::link::{Link, Links, STALLED, tune};
use crate::control::service::clients::Outgoing;

/// How many bytes are read at a time.
const PIECE: usize = 16 * 1024;
/// How long to wait for the rest of an incomplete packet.
const HALF: Duration = Duration::from_secs(10);
/// The pause after an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections for ever.
pub async fn serve(listener: TcpListener, links: Links) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tune(&stream);
                tokio::spawn(connection(stream, peer, links.clone()));
            }
            Err(e) => {
                tracing::debug!("OSC over TCP: {e}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(mut stream: TcpStream, peer: SocketAddr, links: Links) {
    let Some(mut link) = links.open(peer.ip(), false).await else {
        return tracing::warn!("OSC over TCP: {peer} refused: too many connections are open");
    };
    match talk(&mut stream, &mut link).await {
        Ok(()) => tracing::debug!("OSC over TCP: {peer} is gone"),
        Err(why) => tracing::info!("OSC over TCP: {peer} is dropped: {why}"),
    }
}

/// Serves a client until it closes the connection. Returns why it is disconnected otherwise.
async fn talk(stream: &mut TcpStream, link: &mut Link) -> Result<(), String> {
    let (mut reader, mut writer) = stream.split();
    let mut framing = Framing::default();
    let mut piece = vec![0; PIECE];
    let mut out = Vec::new();
    let mut read_at = tokio::time::Instant::now();
    loop {
        let pause = link.pause();
        let half = read_at + HALF;
        tokio::select! {
            outgoing = link.outbox.recv() => {
                let mut next = Some(outgoing.ok_or("it does not read what it is sent")?);
                out.clear();
                while let Some(outgoing) = next {
                    if let Outgoing::Packet(packet) = outgoing {
                        framing.give(&packet, &mut out);
                    }
                    next = link.outbox.try_recv().ok();
                }
                let written = timeout(STALLED, writer.write_all(&out)).await;
                let written = written.map_err(|_| "it does not read what it is sent")?;
                written.map_err(|e| e.to_string())?;
            }
            length = reader.read(&mut piece), if pause.is_none() => {
                let length = length.map_err(|e| e.to_string())?;
                if length == 0 {
                    return Ok(());
                }
                read_at = tokio::time::Instant::now();
                let mut packets = Vec::new();
                let bytes = piece.get(..length).unwrap_or_default();
                let taken = framing.take(bytes, |packet| packets.push(packet));
                for packet in packets {
                    if !link.packet(packet).await {
                        return Ok(());
                    }
                }
                taken.map_err(|e| e.to_string())?;
            }
            () = sleep_until(pause.unwrap_or(half)), if pause.is_some() || framing.is_inside() => {
                if pause.is_none() {
                    return Err("half a packet came, and nothing after it".to_owned());
                }
            }
        }
    }
}
