//! Which client gets which changes, and when. It knows no transport, and the thread `timbred-osc`
//! uses it.
//!
//! For each subscriber and each parameter that it wants, the value that the subscriber knows is
//! kept: the one that was last sent to it, or that it set itself. If the current value differs, it
//! is sent, at most `hz` times a second. So the newest value wins, whatever changed it, and no
//! client gets back what it sent.

use std::time::{Duration, Instant};

use timbre_control::error::{Code, ControlError};
use timbre_control::osc::LEASE_S;
use timbre_control::parameters::Id;
use timbre_control::pattern::Pattern;
use timbre_control::value::Value;

use super::clients::ClientId;

/// The most subscriptions, without fixed targets and without what connections listen to.
const MOST: usize = 64;
/// How long a subscription lasts if it is not renewed.
const LEASE: Duration = Duration::from_secs(LEASE_S as u64);

/// When a subscription ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Until {
    /// It ends with the program: it is a target of the configuration.
    End,
    /// It ends at this time, unless it is renewed.
    Lease(Instant),
    /// It ends with the connection, or when the connection asks for it.
    Ignored,
}

#[derive(Debug)]
struct Subscriber {
    /// The client that gets the changes.
    target: ClientId,
    /// The client that asked for them, which does not get the changes that it makes itself.
    owner: ClientId,
    /// The pattern of the parameters; none if they were named one by one.
    pattern: Option<Pattern>,
    /// The place in the list of parameters, and the value that the subscriber knows; none if the
    /// current value is to be sent in any case.
    known: Vec<(usize, Option<Value>)>,
    interval: Duration,
    /// No changes are sent before this time.
    next: Instant,
    until: Until,
}

/// A request for changes of some parameters.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The client that gets the changes.
    pub target: ClientId,
    /// The client that asks for them.
    pub owner: ClientId,
    /// The parameters.
    pub pattern: Pattern,
    /// The most messages a second for one parameter.
    pub hz: f64,
}

/// All subscribers.
#[derive(Debug, Default)]
pub struct Subscribers {
    addresses: Vec<String>,
    list: Vec<Subscriber>,
}

impl Subscribers {
    /// No subscribers yet, for these parameters.
    pub fn new(ids: &[Id]) -> Self {
        Self { addresses: ids.iter().map(Id::address).collect(), list: Vec::new() }
    }

    /// Adds a target of the configuration, which needs no renewal.
    pub fn add_fixed(&mut self, wish: Wish, now: Instant, current: &[Value]) {
        self.insert(wish, Until::End, now, current);
    }

    /// Adds a subscription, or renews it.
    ///
    /// # Errors
    /// There are too many subscriptions.
    pub fn add(&mut self, wish: Wish, now: Instant, current: &[Value]) -> Result<(), ControlError> {
        let lease = Until::Lease(now + LEASE);
        let same = |s: &&mut Subscriber| {
            s.target == wish.target && s.pattern.as_ref() == Some(&wish.pattern)
        };
        if let Some(subscriber) = self.list.iter_mut().find(same) {
            subscriber.owner = wish.owner;
            subscriber.interval = Duration::from_secs_f64(wish.hz.recip());
            if let Until::Lease(_) = subscriber.until {
                subscriber.until = lease;
            }
            return Ok(());
        }
        if self.list.iter().filter(|s| matches!(s.until, Until::Lease(_))).count() >= MOST {
            let text = format!(
                "there are {MOST} subscriptions already; unsubscribe one, or wait {LEASE_S} s for \
                 those that are not renewed to end"
            );
            return Err(ControlError::new(Code::Full, text));
        }
        self.insert(wish, lease, now, current);
        Ok(())
    }

    fn insert(&mut self, wish: Wish, until: Until, now: Instant, current: &[Value]) {
        let Wish { target, owner, pattern, hz } = wish;
        let known = self
            .addresses
            .iter()
            .zip(current)
            .enumerate()
            .filter(|(_, (address, _))| pattern.matches(address))
            .map(|(place, (_, value))| (place, Some(value.clone())))
            .collect();
        let interval = Duration::from_secs_f64(hz.recip());
        let pattern = Some(pattern);
        self.list.push(Subscriber { target, owner, pattern, known, interval, next: now, until });
    }

    /// Makes a connection get everything at and below a path, beginning with the current values, or
    /// ends that. Returns false if there is nothing at that path.
    pub fn listen(&mut self, client: ClientId, path: &str, wanted: bool, hz: f64) -> bool {
        let pattern = Pattern::new(path).ok();
        let below = format!("{}/", path.trim_end_matches('/'));
        let is_meant = |address: &str| {
            address == path
                || address.starts_with(&below)
                || pattern.as_ref().is_some_and(|pattern| pattern.matches(address))
        };
        let places: Vec<usize> =
            (0..self.addresses.len()).filter(|&place| is_meant(&self.addresses[place])).collect();
        if places.is_empty() {
            return false;
        }
        let listens = |s: &&mut Subscriber| s.target == client && s.until == Until::Ignored;
        let found = self.list.iter_mut().find(listens);
        match (found, wanted) {
            (Some(subscriber), true) => {
                subscriber.known.retain(|(place, _)| !places.contains(place));
                subscriber.known.extend(places.iter().map(|&place| (place, None)));
            }
            (Some(subscriber), false) => {
                subscriber.known.retain(|(place, _)| !places.contains(place));
            }
            (None, true) => self.list.push(Subscriber {
                target: client,
                owner: client,
                pattern: None,
                known: places.iter().map(|&place| (place, None)).collect(),
                interval: Duration::from_secs_f64(hz.recip()),
                next: Instant::now(),
                until: Until::Ignored,
            }),
            (None, false) => {}
        }
        self.list.retain(|s| s.until != Until::Ignored || !s.known.is_empty());
        true
    }

    /// Ends the subscriptions of a target, or the one with this pattern; fixed targets stay.
    pub fn remove(&mut self, target: ClientId, pattern: Option<&Pattern>) {
        self.list.retain(|s| {
            let meant = s.target == target && pattern.is_none_or(|p| s.pattern.as_ref() == Some(p));
            !matches!(s.until, Until::Lease(_)) || !meant
        });
    }

    /// Removes a closed connection and all its subscriptions.
    pub fn forget(&mut self, client: ClientId) {
        self.list.retain(|s| s.target != client);
    }

    /// A client has set a parameter, so it knows the value.
    pub fn heard(&mut self, from: ClientId, place: usize, value: &Value) {
        let own = self.list.iter_mut().filter(|s| s.target == from || s.owner == from);
        for (_, known) in own.flat_map(|s| &mut s.known).filter(|(p, _)| *p == place) {
            *known = Some(value.clone());
        }
    }

    /// Whether anything could be sent to any subscriber now. Subscriptions that have expired end.
    pub fn any_due(&mut self, now: Instant) -> bool {
        self.list.retain(|s| !matches!(s.until, Until::Lease(until) if until <= now));
        self.list.iter().any(|s| s.next <= now)
    }

    /// Calls back for each subscriber that is due, with the places of the parameters that changed
    /// for it.
    pub fn publish(
        &mut self,
        now: Instant,
        current: &[Value],
        mut tell: impl FnMut(ClientId, &[usize]),
    ) {
        let mut changed = Vec::new();
        for subscriber in self.list.iter_mut().filter(|s| s.next <= now) {
            changed.clear();
            for (place, known) in &mut subscriber.known {
                if let Some(value) = current.get(*place)
                    && known.as_ref() != Some(value)
                {
                    *known = Some(value.clone());
                    changed.push(*place);
                }
            }
            if !changed.is_empty() {
                tell(subscriber.target, &changed);
                subscriber.next = now + subscriber.interval;
            }
        }
    }

    /// The OSC address of a place.
    pub fn address(&self, place: usize) -> &str {
        self.addresses.get(place).map_or("", String::as_str)
    }

    /// The number of subscribers, including fixed targets.
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

#[cfg(test)]
mod tests {
    use timbre_control::parameters::ids;

    use super::*;

    fn wish(client: u64, pattern: &str, hz: f64) -> Wish {
        let client = ClientId::Connection(client);
        Wish { target: client, owner: client, pattern: Pattern::new(pattern).unwrap(), hz }
    }

    fn sent(list: &mut Subscribers, now: Instant, values: &[Value]) -> Vec<(u64, usize)> {
        let mut all = Vec::new();
        list.publish(now, values, |to, places| match to {
            ClientId::Connection(number) => all.extend(places.iter().map(|p| (number, *p))),
            ClientId::Datagram(_) => panic!("{to}"),
        });
        all
    }

    #[test]
    fn changes_go_to_all_but_their_source_at_their_rate_until_the_lease_ends() {
        let ids: Vec<Id> = ids().collect();
        let place = ids.iter().position(|id| id.address() == "/master/gain").unwrap();
        let mut values = vec![Value::Whole(0); ids.len()];
        let now = Instant::now();
        let mut list = Subscribers::new(&ids);
        list.add_fixed(wish(9, "//*", 30.0), now, &values);
        for (client, text) in [(1, "//*"), (2, "/master/*"), (3, "/ch/*/*")] {
            list.add(wish(client, text, 10.0), now, &values).unwrap();
        }
        values[place] = Value::Whole(1);
        list.heard(ClientId::Connection(1), place, &values[place]);
        let all = sent(&mut list, now, &values);
        assert_eq!(all, [(9, place), (2, place)]);
        // It is too early for 2; later only the newest value is sent, once.
        let early = now + Duration::from_millis(50);
        values[place] = Value::Whole(2);
        let clients: Vec<u64> = sent(&mut list, early, &values).iter().map(|s| s.0).collect();
        assert_eq!(clients, [9, 1]);
        values[place] = Value::Whole(3);
        let late = now + Duration::from_millis(160);
        let clients: Vec<u64> = sent(&mut list, late, &values).iter().map(|s| s.0).collect();
        assert_eq!(clients, [9, 1, 2]);
        list.remove(ClientId::Connection(2), None);
        list.remove(ClientId::Connection(9), None);
        assert_eq!(list.len(), 3);
        assert!(list.any_due(now + LEASE));
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn there_are_no_more_than_fit_and_renewing_needs_no_place() {
        let ids: Vec<Id> = ids().collect();
        let values = vec![Value::Whole(0); ids.len()];
        let now = Instant::now();
        let mut list = Subscribers::new(&ids);
        let wish = |client| wish(client, "/master/gain", 1.0);
        for client in 0..MOST as u64 {
            list.add(wish(client), now, &values).unwrap();
        }
        list.add(wish(0), now, &values).unwrap();
        let full = list.add(wish(99), now, &values).unwrap_err();
        assert_eq!(full.code, Code::Full);
    }

    #[test]
    fn who_listens_is_told_what_is_and_what_changes_until_it_ignores_it_or_is_gone() {
        let ids: Vec<Id> = ids().collect();
        let mut values = vec![Value::Whole(0); ids.len()];
        let mut list = Subscribers::new(&ids);
        let a = ClientId::Connection(1);
        assert!(list.listen(a, "/ch/2", true, 30.0) && list.listen(a, "/master/gain", true, 30.0));
        assert!(!list.listen(a, "/ch/2/gian", true, 30.0));
        let mut now = Instant::now();
        let of_channel = ids.iter().filter(|id| id.address().starts_with("/ch/2/")).count();
        assert_eq!(sent(&mut list, now, &values).len(), of_channel + 1);
        let gain = ids.iter().position(|id| id.address() == "/ch/2/gain").unwrap();
        values[gain] = Value::Whole(1);
        now += Duration::from_secs(1);
        assert_eq!(sent(&mut list, now, &values), [(1, gain)]);
        list.listen(a, "/ch/2/gain", false, 30.0);
        values[gain] = Value::Whole(2);
        now += Duration::from_secs(1);
        assert_eq!(sent(&mut list, now, &values), []);
        list.listen(a, "/", true, 30.0);
        assert_eq!(sent(&mut list, now, &values).len(), ids.len());
        list.listen(a, "//*", false, 30.0);
        assert_eq!(list.len(), 0);
        list.listen(a, "/", true, 30.0);
        list.forget(a);
        assert_eq!(list.len(), 0);
    }
}
