//! Carries out single requests, if their sender is allowed to make them. The settings of one packet
//! are published as one value.

use std::net::SocketAddr;
use std::time::Instant;

use rosc::OscMessage;
use timbre_control::action::Action;
use timbre_control::arguments::arguments;
use timbre_control::error::{Code, ControlError};
use timbre_control::learn::LEARN;
use timbre_control::osc::{
    AUTH, LEASE_S, NAME, PANEL, RECORD_START, RECORD_STOP, Request, SUBSCRIBE, Subscription,
    message,
};
use timbre_control::packet::packets;
use timbre_control::parameters::{Id, Key};
use timbre_control::settings::Settings;
use timbre_control::status::{OscStatus, Status};
use timbre_control::value::Value;

use super::Service;
use super::answers::{by_midi, pong, started, status, stopped, version};
use super::clients::{ClientId, Rights};
use super::learned::Moved;
use super::pending::Question;
use super::subscribers::Wish;
use crate::bus::queues::{Midi, MidiInput, SourceId};
use crate::recording;

impl Service {
    /// Returns the requests, if their sender is allowed to make them.
    pub(super) fn permitted(
        &mut self,
        requests: Vec<Request>,
        from: ClientId,
        rights: Rights,
    ) -> Result<Vec<Request>, ControlError> {
        if !rights.is_known && !requests.iter().all(|r| matches!(r, Request::Auth(_))) {
            let text =
                format!("found no token, wanted {AUTH} with the one of [remote] token first");
            return Err(self.not_allowed(from, "OSC", text));
        }
        for request in requests.iter().filter(|_| !rights.is_local) {
            if let Err(text) = named_only(request) {
                return Err(self.not_allowed(from, "a file's path", text));
            }
        }
        let named = requests.iter().filter_map(|request| match request {
            Request::Subscribe(Subscription { host, .. }) => *host,
            Request::Unsubscribe { host, .. } => *host,
            _ => None,
        });
        for host in named {
            if !self.clients.may_subscribe(from, host) {
                let text = format!(
                    "found {host}, wanted your own address: a client of the network subscribes \
                     for its own machine only"
                );
                return Err(self.not_allowed(from, "a subscription for another machine", text));
            }
        }
        Ok(requests)
    }

    fn not_allowed(&mut self, from: ClientId, what: &'static str, text: String) -> ControlError {
        if let Some(address) = self.clients.peer(from) {
            self.refusals.say(what, address, &text);
        }
        ControlError::new(Code::NotAllowed, text)
    }

    /// Carries out requests in order. Settings are published once, before the answers are sent.
    pub(super) fn apply(&mut self, requests: &[Request], from: ClientId) {
        let mut settings = Settings::clone(&self.handles.settings.load());
        let mut changes: Vec<(Id, &Value)> = Vec::new();
        let mut answers = Vec::new();
        for request in requests {
            match request {
                Request::Get(id) => {
                    let value = self.values.get(*id, &settings);
                    answers.push(message(id.address(), arguments(&value)));
                }
                Request::Set { id, value, exact } => {
                    if self.set((*id, value, *exact), from, &mut settings) {
                        changes.push((*id, value));
                    }
                }
                Request::Midi(bytes) => {
                    self.held.played(from, *bytes);
                    self.play(*bytes);
                }
                Request::Controllers(controllers) => {
                    for (controller, channel) in
                        controllers.iter().flat_map(|&c| (0..16u8).map(move |channel| (c, channel)))
                    {
                        self.play([0xb0 | channel, controller, 0]);
                    }
                }
                Request::Subscribe(wanted) => {
                    let answer = self.subscribe(wanted, from, &settings);
                    answers.extend(self.answer_or_refusal(from, SUBSCRIBE, answer));
                }
                Request::Unsubscribe { host, port, pattern } => {
                    let target = self.named_target(*host, *port, from);
                    if let Some(target) = target {
                        self.subscribers.remove(target, pattern.as_ref());
                    }
                }
                Request::Ping(token) => {
                    if !self.pending.hold(from, token.as_ref()) {
                        answers.push(pong(token.as_ref()));
                    }
                }
                Request::Version => answers.push(version()),
                Request::Status => answers.push(self.status(&settings)),
                Request::Panel => answers.push(self.panel()),
                Request::Do { address, action } => self.command(address, action, from),
                Request::Learn(learn) => {
                    let answer = self.learned.request(*learn, from);
                    answers.extend(answer.map(|args| message(LEARN, args)));
                }
                Request::RecordStart(path) => {
                    let answer = started(&self.handles.recorder, path.as_deref());
                    answers.extend(self.answer_or_refusal(from, RECORD_START, answer));
                }
                Request::RecordStop => {
                    let answer = stopped(&self.handles.recorder);
                    answers.extend(self.answer_or_refusal(from, RECORD_STOP, answer));
                }
                Request::Auth(token) => {
                    let answer = self.introduce(token, from);
                    answers.extend(self.answer_or_refusal(from, AUTH, answer));
                }
            }
        }
        self.take_over(&changes);
        for packet in packets(answers) {
            self.clients.send(from, packet.into());
        }
    }

    /// Sets one value, or lets it be set by MIDI or by the supervisor. Returns whether a setting
    /// changed.
    fn set(
        &mut self,
        (id, value, exact): (Id, &Value, bool),
        from: ClientId,
        settings: &mut Settings,
    ) -> bool {
        let sent = by_midi(id, value);
        if let Some((what, value)) = sent {
            self.values.sent(what, id.channel, value, Instant::now());
            self.play(what.message(id.channel, value));
        } else if let (Key::Model, Value::Text(name)) = (id.parameter.key, value) {
            // The client gets an answer when the model plays.
            self.command(id.parameter.address, &Action::UseModel(name.clone()), from);
            return false;
        } else if let Err(e) = settings.set_value(id, value) {
            self.refuse(from, &id.address(), &e);
            return false;
        }
        let place = self.values.ids.iter().position(|other| *other == id);
        if let Some(place) = place.filter(|_| exact) {
            self.subscribers.heard(from, place, value);
        }
        sent.is_none()
    }

    /// Publishes accepted settings on top of the newest ones, because the supervisor may have
    /// published others in between.
    fn take_over(&self, changes: &[(Id, &Value)]) {
        if changes.is_empty() {
            return;
        }
        self.handles.settings.rcu(|newest| {
            let mut next = Settings::clone(newest);
            for (id, value) in changes {
                let _ = next.set_value(*id, value);
            }
            next
        });
    }

    /// The answer to a request. If there is none, the sender gets the error.
    fn answer_or_refusal(
        &mut self,
        from: ClientId,
        address: &str,
        answer: Result<OscMessage, ControlError>,
    ) -> Option<OscMessage> {
        answer.inspect_err(|e| self.refuse(from, address, e)).ok()
    }

    fn status(&self, settings: &Settings) -> OscMessage {
        let osc = OscStatus {
            subscribers: self.subscribers.len(),
            waiting_bundles: self.waiting.len(),
            ..self.traffic.clone()
        };
        let panel = self.handles.panel.load().to_vec();
        status(&Status { panel, ..self.values.status(settings, osc) })
    }

    /// The addresses of the panel, with the token that it wants.
    fn panel(&self) -> OscMessage {
        let token = self.clients.token();
        let with_token = |url: &String| match token.is_wanted() {
            true => format!("{url}?token={}", token.as_str()).into(),
            false => url.as_str().into(),
        };
        message(PANEL, self.handles.panel.load().iter().map(with_token).collect())
    }

    /// Gives a client its rights, if its token is the right one.
    fn introduce(&mut self, token: &str, from: ClientId) -> Result<OscMessage, ControlError> {
        if self.clients.introduce(from, token) {
            return Ok(message(AUTH, vec![NAME.into()]));
        }
        let text = "found another token, wanted the one of [remote] token";
        Err(self.not_allowed(from, "a token", text.to_owned()))
    }

    /// The target of a subscription: the host and port that it names, otherwise those of the
    /// client.
    fn named_target(
        &self,
        host: Option<std::net::IpAddr>,
        port: Option<u16>,
        from: ClientId,
    ) -> Option<ClientId> {
        match (from, host, port) {
            (_, None, None) => Some(from),
            (ClientId::Datagram(own), ..) => self
                .clients
                .at(SocketAddr::new(host.unwrap_or(own.ip()), port.unwrap_or(own.port()))),
            (ClientId::Connection(_), Some(host), Some(port)) => {
                self.clients.at(SocketAddr::new(host, port))
            }
            (ClientId::Connection(_), ..) => None,
        }
    }

    fn subscribe(
        &mut self,
        wanted: &Subscription,
        from: ClientId,
        settings: &Settings,
    ) -> Result<OscMessage, ControlError> {
        let Some(target) = self.named_target(wanted.host, wanted.port, from) else {
            let text = match (wanted.host, from) {
                (Some(host), ClientId::Datagram(_)) => {
                    format!("{host} cannot be reached from {}", self.own)
                }
                _ => "found a host or a port alone, wanted both, or none for this connection"
                    .to_owned(),
            };
            return Err(ControlError::new(Code::BadValue, text));
        };
        let current = self.values.all(settings);
        let (pattern, hz) = (wanted.pattern.clone(), wanted.hz);
        let wish = Wish { target, owner: from, pattern, hz };
        self.subscribers.add(wish, Instant::now(), &current)?;
        let (host, port) = match (target, wanted.host) {
            (ClientId::Datagram(to), host) => (host.unwrap_or(to.ip()).to_string(), to.port()),
            (ClientId::Connection(_), _) => ("connection".to_owned(), 0),
        };
        let pattern = wanted.pattern.as_str();
        let args = vec![
            host.into(),
            i32::from(port).into(),
            pattern.into(),
            (hz as f32).into(),
            LEASE_S.into(),
        ];
        Ok(message(SUBSCRIBE, args))
    }

    /// Sets the parameters of controllers that have moved. If one was just assigned, the client
    /// that asked for it gets an answer.
    pub(super) fn follow_controllers(&mut self) {
        let mut requests = vec![];
        for moved in self.learned.moved() {
            match moved {
                Moved::Sets(id, value) => requests.push(Request::Set { id, value, exact: false }),
                Moved::Learned(from, args) => self.send(from, message(LEARN, args)),
            }
        }
        if !requests.is_empty() {
            self.apply(&requests, ClientId::Datagram(self.own));
        }
    }

    pub(super) fn play(&self, bytes: [u8; 3]) {
        let input =
            MidiInput { at: Instant::now(), source: SourceId::OSC, midi: Midi::Message(bytes) };
        self.handles.midi.send(input);
    }

    fn command(&mut self, address: &str, action: &Action, from: ClientId) {
        let (commands, programs) = (&self.handles.commands, self.values.programs());
        let is_local = self.clients.rights(from).is_local;
        let question = Question { action: action.clone(), programs, is_local };
        if let Err(e) = self.pending.ask(commands, question, from, address) {
            self.refuse(from, address, &e);
        }
    }
}

/// Checks that a client of the network names no paths.
fn named_only(request: &Request) -> Result<(), String> {
    let is_model = |id: &Id| id.parameter.key == Key::Model;
    match request {
        Request::RecordStart(Some(name)) if !recording::is_name(name) => Err(format!(
            "found the path {}, wanted a name: from the network recordings go into \
             the folder of recordings only",
            shown(name)
        )),
        Request::Set { id, value: Value::Text(name), .. }
            if is_model(id) && (name.contains('/') || name.starts_with('.')) =>
        {
            Err(format!(
                "found the path {}, wanted the name of an installed model: the network \
                 cannot name folders",
                shown(name)
            ))
        }
        _ => Ok(()),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect::<String>().escape_debug().to_string()
}
