//! Tests: the pages' rules, with plain words: who is told what, and when.

use super::*;
use crate::notices;
use vdi_protocol::control::SessionLimit;

fn told(pages: &mut Pages, phase: Phase) -> Vec<(String, Option<(Role, u32)>)> {
    let news = News { phase, ..News::default() };
    let messages = pages.tell(&news).into_iter();
    messages
        .filter(|(_, message)| {
            !matches!(message, ToPage::People(_) | ToPage::Clipboard(_) | ToPage::Files(_))
        })
        .map(|(id, message)| match message {
            ToPage::Session { role, consumers, .. } => (id, Some((role, consumers))),
            _ => (id, None),
        })
        .collect()
}

#[test]
fn each_page_is_told_its_role_on_connect_and_again_at_every_change_only() {
    let mut pages = Pages::default();
    pages.added("a");
    assert!(told(&mut pages, Phase::Ready).is_empty(), "its channels are not up yet");
    pages.connected("a");
    assert_eq!(told(&mut pages, Phase::Streaming), [("a".into(), Some((Role::Controller, 1)))]);
    assert!(told(&mut pages, Phase::Streaming).is_empty());
    pages.added("b");
    pages.connected("b");
    assert_eq!(
        told(&mut pages, Phase::Streaming),
        [("a".into(), Some((Role::Controller, 2))), ("b".into(), Some((Role::Viewer, 2)))]
    );
    pages.take_control("b", Duration::ZERO);
    assert_eq!(
        told(&mut pages, Phase::Streaming),
        [
            // A word to the one who had control.
            ("a".into(), None),
            ("a".into(), Some((Role::Viewer, 2))),
            ("b".into(), Some((Role::Controller, 2)))
        ]
    );
}

#[test]
fn what_holds_reaches_pages_that_come_later_until_it_ends_and_what_happened_only_those_that_are_here() {
    let mut pages = Pages::default();
    let come = |pages: &mut Pages, id| {
        pages.added(id);
        pages.connected(id);
        pages
            .tell(&News::default())
            .into_iter()
            .filter(|(to, _)| to == id)
            .map(|(_, message)| message)
            .filter(|message| matches!(message, ToPage::Notice { .. }))
            .collect::<Vec<_>>()
    };
    let (slow, fast) = (notices::no_gpu("x264enc", "s1"), notices::display_back());
    pages.standing(Some(slow.clone()));
    assert_eq!(come(&mut pages, "a"), [ToPage::Notice(slow)]);
    pages.notice(&fast);
    assert_eq!(pages.tell(&News::default()), [("a".into(), ToPage::Notice(fast))]);
    assert!(pages.tell(&News::default()).is_empty(), "once is enough");
    pages.standing(None);
    assert!(come(&mut pages, "b").is_empty());
}

#[test]
fn only_the_page_in_control_may_do_what_the_policy_lets_it() {
    let policy = Policy { read: true, write: true, max_bytes: 7 };
    let mut pages = Pages::new(policy, ControlPolicy::default());
    for id in ["a", "b"] {
        pages.added(id);
        pages.connected(id);
    }
    let mut told = || -> Vec<_> {
        let told = pages.tell(&News::default()).into_iter().filter_map(|(id, message)| match message {
            ToPage::Clipboard(policy) => Some((id, policy)),
            _ => None,
        });
        let told = told.collect();
        pages.take_control("b", Duration::ZERO);
        told
    };
    let nothing = Policy { read: false, write: false, max_bytes: 7 };
    assert_eq!(told(), [("a".into(), policy), ("b".into(), nothing)]);
    assert_eq!(told(), [("a".into(), nothing), ("b".into(), policy)]);
}

#[test]
fn size_and_quality_are_told_on_connect_and_when_they_change_but_not_as_time_passes() {
    let mut pages = Pages::default();
    pages.added("a");
    pages.connected("a");
    let quality = |width, seconds| Quality { width, seconds, ..Quality::default() };
    let news = |quality| News { display: Some((1920, 1080)), quality: Some(quality), ..News::default() };
    let told: Vec<_> =
        pages.tell(&news(quality(1920, 1.0))).into_iter().map(|(_, message)| message).collect();
    let told: Vec<_> = told.into_iter().filter(|message| !matches!(message, ToPage::People(_))).collect();
    assert!(matches!(
        &told[..],
        [
            ToPage::Session { .. },
            ToPage::Clipboard(_),
            ToPage::Files(_),
            ToPage::Display { width: 1920, height: 1080 },
            ToPage::Quality(_)
        ]
    ));
    assert!(pages.tell(&news(quality(1920, 2.0))).is_empty());
    assert_eq!(pages.tell(&news(quality(1280, 3.0))), [("a".into(), ToPage::Quality(quality(1280, 3.0)))]);
}

/// Three people under a policy.
fn three(policy: ControlPolicy) -> Pages {
    let mut pages = Pages::new(Policy::default(), policy);
    for (id, client) in [("a", "anna"), ("b", "bert"), ("c", "carl")] {
        pages.client(id, client.into());
        pages.added(id);
        pages.connected(id);
    }
    pages.tell(&News::default());
    pages
}

/// Who is told that he does not get control, and who asks.
fn refused(pages: &mut Pages) -> (Vec<String>, Option<String>) {
    let told = pages.tell(&News::default()).into_iter();
    let refused = told.filter(|(_, message)| *message == ToPage::ControlRefused).map(|(id, _)| id);
    (refused.collect(), pages.present().asking)
}

#[test]
fn log_says_who_has_control_and_how_that_came() {
    let mut pages = three(ControlPolicy::Ask);
    let s = Duration::from_secs;
    assert_eq!(pages.journal(), ["page a has control: nobody had it"]);
    pages.call("b", "Bert");
    pages.call("b", "Robert");
    pages.take_control("b", s(1));
    pages.take_control("b", s(2));
    pages.keep_control("a");
    assert_eq!(
        pages.journal(),
        [
            "page b is of \"Bert\"",
            "\"Robert\" (page b) asks for control",
            "page a keeps control, for which \"Robert\" (page b) asked"
        ]
    );
    pages.take_control("b", s(3));
    pages.give_control("a", "b");
    pages.removed("b", s(4));
    pages.tick(s(5));
    pages.tick(s(7));
    assert_eq!(
        pages.journal()[1..],
        [
            "\"Robert\" (page b) has control: asked for, and given by page a",
            "nobody has control: \"Robert\" (page b) has left",
            "page a has control: whoever had it has not come back, and of those who are here it came first"
        ]
    );
    pages.client("b2", "bert".into());
    pages.added("b2");
    pages.connected("b2");
    assert_eq!(pages.journal(), ["page b2 has control: it has come back, and page a had only inherited it"]);
    let mut pages = three(ControlPolicy::Take);
    pages.take_control("c", s(1));
    assert_eq!(pages.journal()[1..], ["page c has control: taken from page a"]);
}

#[test]
fn control_is_given_by_the_one_who_has_it_and_by_nobody_else() {
    let mut pages = three(ControlPolicy::Ask);
    pages.take_control("b", Duration::ZERO);
    assert_eq!((pages.controller(), pages.present().asking.as_deref()), (Some("a"), Some("b")));
    pages.give_control("c", "c");
    pages.give_control("b", "b");
    assert_eq!(pages.controller(), Some("a"));
    pages.give_control("a", "b");
    assert_eq!(refused(&mut pages), (Vec::new(), None));
    assert_eq!(pages.controller(), Some("b"));
    pages.give_control("b", "stranger");
    assert_eq!(pages.controller(), Some("b"));
}

#[test]
fn who_is_refused_is_told_by_word_by_silence_and_by_somebody_else_who_asked_first() {
    let mut pages = three(ControlPolicy::Ask);
    pages.take_control("b", Duration::ZERO);
    pages.take_control("c", Duration::ZERO);
    assert_eq!(refused(&mut pages), (vec!["c".into()], Some("b".into())));
    pages.keep_control("c");
    assert_eq!(refused(&mut pages), (Vec::new(), Some("b".into())));
    pages.keep_control("a");
    assert_eq!(refused(&mut pages), (vec!["b".into()], None));
    pages.take_control("c", Duration::from_secs(30));
    pages.tick(Duration::from_secs(50));
    assert_eq!(refused(&mut pages), (vec!["c".into()], None));
    assert_eq!(pages.controller(), Some("a"));
}

#[test]
fn who_reloads_the_page_is_not_robbed_meanwhile_where_control_is_asked_for() {
    let mut pages = three(ControlPolicy::Ask);
    pages.removed("a", Duration::from_secs(10));
    pages.take_control("b", Duration::from_secs(11));
    assert_eq!(refused(&mut pages), (vec!["b".into()], None));
    assert_eq!(pages.controller(), None);
    pages.client("d", "anna".into());
    pages.added("d");
    pages.connected("d");
    assert_eq!(pages.controller(), Some("d"));
}

#[test]
fn nobody_asks_himself_and_nobody_is_asked_where_control_is_taken() {
    let mut pages = three(ControlPolicy::Ask);
    pages.client("a2", "anna".into());
    pages.added("a2");
    pages.connected("a2");
    pages.take_control("a", Duration::ZERO);
    assert_eq!(pages.controller(), Some("a"), "of two of his own pages");
    let mut pages = three(ControlPolicy::Take);
    pages.take_control("c", Duration::ZERO);
    assert_eq!(pages.controller(), Some("c"));
}

#[test]
fn settings_are_told_to_everybody_at_a_change_and_to_one_who_asked_in_vain() {
    let mut pages = Pages::default();
    for id in ["a", "b"] {
        pages.added(id);
        pages.connected(id);
    }
    let told = |pages: &mut Pages, framerate| -> Vec<_> {
        let settings = Settings { max_framerate: framerate, ..Settings::default() };
        let news = News { settings: Some(settings), ..News::default() };
        let told = pages.tell(&news).into_iter();
        told.filter(|(_, message)| matches!(message, ToPage::Settings(_))).map(|(id, _)| id).collect()
    };
    assert_eq!(told(&mut pages, 60), ["a", "b"]);
    assert_eq!(told(&mut pages, 30), ["a", "b"]);
    assert!(told(&mut pages, 30).is_empty());
    pages.remind_of_settings("b");
    assert_eq!(told(&mut pages, 30), ["b"]);
}

#[test]
fn coming_end_is_told_once_and_again_when_it_moves_or_goes() {
    let mut pages = Pages::default();
    let end = |due: u64, left: u64| {
        let coming = Coming { limit: SessionLimit::Idle, due: Duration::from_secs(due), extension: None };
        News { ending: Some((coming, Duration::from_secs(left))), ..News::default() }
    };
    let told = |pages: &mut Pages, news: &News| -> Vec<_> {
        let told = pages.tell(news).into_iter().filter_map(|(_, message)| match message {
            ToPage::Ending { limit, seconds, .. } => Some((limit, seconds)),
            _ => None,
        });
        told.collect()
    };
    pages.added("a");
    pages.connected("a");
    assert_eq!(told(&mut pages, &News::default()), []);
    assert_eq!(told(&mut pages, &end(600, 60)), [(Some(SessionLimit::Idle), 60.0)]);
    assert_eq!(told(&mut pages, &end(600, 59)), [], "the page counts by itself");
    assert_eq!(told(&mut pages, &end(700, 50)), [(Some(SessionLimit::Idle), 50.0)]);
    pages.connected("a");
    assert_eq!(told(&mut pages, &end(700, 40)).len(), 1, "another connection knows nothing");
    assert_eq!(told(&mut pages, &News::default()), [(None, 0.0)]);
}

#[test]
fn page_that_sends_nonsense_is_closed_at_the_limit_once() {
    let mut pages = Pages::default();
    pages.added("a");
    let closed: Vec<_> = (1..=20).filter(|_| pages.bad_message("a")).collect();
    assert_eq!(closed.len(), 1);
    assert!(!pages.bad_message("stranger"));
}

#[test]
fn page_whose_connection_was_replaced_is_told_everything_anew() {
    let mut pages = Pages::default();
    for id in ["a", "b"] {
        pages.added(id);
        pages.connected(id);
    }
    told(&mut pages, Phase::Streaming);
    pages.connected("a");
    assert_eq!(told(&mut pages, Phase::Streaming), [("a".into(), Some((Role::Controller, 2)))]);
}

#[test]
fn second_tab_of_a_user_takes_over_with_a_word_to_the_first() {
    let mut pages = Pages::default();
    for id in ["a", "b"] {
        pages.client(id, "anna".into());
        pages.added(id);
        pages.connected(id);
    }
    let words: Vec<_> = pages
        .tell(&News::default())
        .into_iter()
        .filter(|(_, message)| matches!(message, ToPage::ControlTaken { .. }))
        .collect();
    assert_eq!(words, [("a".into(), ToPage::ControlTaken { same_user: true })]);
    assert_eq!(pages.controller(), Some("b"));
    assert_eq!(pages.count(), (2, 2), "the first one goes on watching");
}

#[test]
fn page_removed_before_it_connected_gets_no_role() {
    let mut pages = Pages::default();
    pages.added("a");
    pages.removed("a", Duration::ZERO);
    pages.connected("a");
    assert_eq!((pages.controller(), pages.count()), (None, (0, 0)));
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A page in control, and guests who have come with these passes.
fn with_guests(guests: &[&str]) -> Pages {
    let mut pages = Pages::default();
    for id in std::iter::once(&"a").chain(guests) {
        pages.client(id, format!("browser of {id}"));
        pages.added(id);
        pages.connected(id);
    }
    pages
}

#[test]
fn who_may_only_watch_gets_control_in_no_way_and_is_told_so() {
    let guests = ["b@view", "c@viewer3", "d@nonsense"];
    let mut pages = with_guests(&guests);
    pages.tell(&News::default());
    for id in guests {
        pages.take_control(id, s(1));
        let told = pages.tell(&News::default());
        assert_eq!(told, [(id.into(), ToPage::ControlRefused)]);
        pages.give_control("a", id);
        assert_eq!(pages.controller(), Some("a"));
    }
    // Nor does one of them inherit it.
    pages.removed("a", s(2));
    pages.tick(s(2) + crate::roles::GRACE);
    assert_eq!(pages.controller(), None);
    pages.client("e", "another browser".into());
    pages.added("e");
    pages.connected("e");
    assert!(pages.tell(&News::default()).iter().all(|(id, message)| match message {
        ToPage::Session { role, .. } => (id == "e") == (*role == Role::Controller),
        ToPage::People(told) => told.people.iter().all(|one| one.view_only == (one.consumer != "e")),
        _ => true,
    }));
}

#[test]
fn who_waits_for_another_codec_is_asked_what_it_decodes_like_who_watches() {
    use VideoCodec::{H264, Vp8};
    let mut pages = Pages::default();
    pages.decodes("a", vec![H264, Vp8]);
    pages.added("a");
    pages.connected("a");
    pages.decodes("b", vec![Vp8]);
    assert_eq!(pages.waiting(), ["b"]);
    assert_eq!(pages.decoders("a").own, [H264, Vp8]);
    assert_eq!(pages.decoders("a").others, [&[Vp8][..]]);
    for id in [WHEP_PREFIX, SOUND_PREFIX].map(|prefix| format!("{prefix}1")) {
        pages.added(&id);
        pages.connected(&id);
    }
    let decoders = pages.decoders("b");
    assert_eq!((decoders.own, decoders.others.len()), (&[Vp8][..], 2), "the page and the player");
    assert!(decoders.others.contains(&&[][..]), "a player says nothing");
    pages.removed("b", s(2));
    assert!(pages.waiting().is_empty());
    assert!(pages.decoders("b").own.is_empty());
}

#[test]
fn guests_are_spared_what_only_the_operator_can_change() {
    let mut pages = with_guests(&["b@view", "c@controller1"]);
    pages.standing(Some(notices::no_gpu("x264enc", "work")));
    pages.added("d@view");
    pages.connected("d@view");
    let told = pages.tell(&News::default()).into_iter();
    let told: Vec<_> =
        told.filter(|(_, message)| matches!(message, ToPage::Notice(_))).map(|(id, _)| id).collect();
    assert_eq!(told, ["a"]);
}

#[test]
fn nobody_is_asked_for_control_by_who_may_only_watch() {
    let mut pages = Pages::new(Policy::default(), ControlPolicy::Ask);
    for id in ["a", "b@view"] {
        pages.client(id, format!("browser of {id}"));
        pages.added(id);
        pages.connected(id);
    }
    pages.take_control("b@view", s(1));
    assert_eq!(pages.present().asking, None);
}

#[test]
fn page_in_control_is_told_of_invitations_until_somebody_who_was_invited_has_it() {
    let mut pages = with_guests(&["b@controller1"]);
    let told = |pages: &mut Pages, seconds: &[f64]| -> Vec<(String, bool, usize)> {
        let one = |seconds| Invitation { id: 1, role: Role::Controller, seconds };
        let news = News { invitations: Some(seconds.iter().copied().map(one).collect()), ..News::default() };
        let told = pages.tell(&news).into_iter();
        told.filter_map(|(id, message)| match message {
            ToPage::Invitations(told) => Some((id, told.allowed, told.invitations.len())),
            _ => None,
        })
        .collect()
    };
    assert_eq!(told(&mut pages, &[9.0]), [("a".into(), true, 1)]);
    assert!(told(&mut pages, &[8.0]).is_empty(), "time passes for the page as well");
    assert_eq!(told(&mut pages, &[]), [("a".into(), true, 0)]);
    pages.take_control("b@controller1", s(1));
    assert_eq!(pages.controller(), Some("b@controller1"));
    assert!(!pages.may_decide("b@controller1") && !pages.may_decide("a"));
    assert_eq!(told(&mut pages, &[]), [("a".into(), false, 0)]);
}

#[test]
fn extension_is_offered_to_those_who_may_decide_on_it() {
    let mut pages = with_guests(&["b@controller1"]);
    let (limit, due, extension) = (SessionLimit::Timeout, s(100), Some(s(1800)));
    let news = News { ending: Some((Coming { limit, due, extension }, s(60))), ..News::default() };
    let told = pages.tell(&news).into_iter().filter_map(|(id, message)| match message {
        ToPage::Ending { extension_seconds, .. } => Some((id, extension_seconds)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [("a".into(), Some(1800)), ("b@controller1".into(), None)]);
}

#[test]
fn everybody_is_told_of_a_recording_whoever_comes_later_too_and_of_its_failure_who_is_here() {
    let mut pages = with_guests(&["b@view"]);
    let told = |pages: &mut Pages, running: bool| -> Vec<(String, ToPage)> {
        let recording = Some(Recording { on_request: true, running });
        let told = pages.tell(&News { recording, ..News::default() }).into_iter();
        told.filter(|(_, message)| matches!(message, ToPage::Recording(_) | ToPage::RecordingFailed { .. }))
            .collect()
    };
    let on = ToPage::Recording(Recording { on_request: true, running: true });
    // Who may never decide on it is offered no button.
    let seen = ToPage::Recording(Recording { on_request: false, running: true });
    assert_eq!(told(&mut pages, true), [("a".into(), on.clone()), ("b@view".into(), seen)]);
    assert!(told(&mut pages, true).is_empty());
    pages.added("c");
    pages.connected("c");
    assert_eq!(told(&mut pages, true), [("c".into(), on)]);
    pages.recording_failed(RecordingFailure::DiskFull);
    let failed = told(&mut pages, false).into_iter();
    let failed = failed.filter(|(_, message)| matches!(message, ToPage::RecordingFailed { .. }));
    assert_eq!(failed.count(), 3);
}
