//! Tests: where files of a recording begin and end, in plain numbers.

use super::{Act::*, *};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

type Acts = Vec<Act<&'static str>>;

fn picture(cutter: &mut Cutter<&'static str>, at: u64, key: bool, content: &'static str) -> Acts {
    cutter.picture(super::Picture { at: ms(at), key, form: 1, after_loss: false, content }, true)
}

/// Begun at 1 s with the picture "a".
fn open() -> Cutter<&'static str> {
    let mut cutter = Cutter::default();
    assert_eq!(cutter.start(ms(900)), [AskKeyFrame]);
    assert_eq!(picture(&mut cutter, 1000, true, "a"), [Begin]);
    cutter
}

#[test]
fn file_begins_with_a_key_frame_at_zero_and_its_last_picture_lasts_until_the_stop() {
    let mut cutter = Cutter::default();
    assert!(picture(&mut cutter, 10, true, "nobody records").is_empty());
    assert_eq!(cutter.start(ms(900)), [AskKeyFrame]);
    assert!(cutter.start(ms(900)).is_empty(), "it has begun");
    assert!(picture(&mut cutter, 950, false, "no key frame").is_empty(), "it was asked for just now");
    assert_eq!(picture(&mut cutter, 1950, false, "nor this"), [AskKeyFrame]);
    assert_eq!(picture(&mut cutter, 2000, true, "a"), [Begin]);
    assert_eq!(picture(&mut cutter, 2040, false, "b"), [Picture(ms(0), ms(40), "a")]);
    assert_eq!(picture(&mut cutter, 4040, false, "c"), [Picture(ms(40), ms(2000), "b")]);
    assert_eq!(cutter.stop(ms(5000)), [Picture(ms(2040), ms(960), "c"), End]);
    assert!(cutter.stop(ms(5000)).is_empty());
    assert!(picture(&mut cutter, 6000, true, "nobody records").is_empty());
}

#[test]
fn sound_is_on_the_time_line_of_the_pictures() {
    let mut cutter = Cutter::default();
    cutter.start(ms(0));
    assert!(cutter.sound(ms(5), "no picture yet", true).is_empty());
    picture(&mut cutter, 1000, true, "a");
    assert!(cutter.sound(ms(995), "before the first picture", true).is_empty());
    assert_eq!(cutter.sound(ms(1005), "tone", true), [Sound(ms(5), "tone")]);
}

#[test]
fn another_form_of_picture_begins_the_next_file_with_its_own_time() {
    let mut cutter = open();
    let mut large = |at, key, content| {
        cutter.picture(super::Picture { at: ms(at), key, form: 2, after_loss: false, content }, true)
    };
    assert_eq!(large(1500, false, "cannot be decoded"), [AskKeyFrame]);
    assert_eq!(large(1600, true, "A"), [Picture(ms(0), ms(600), "a"), End, Begin]);
    assert_eq!(large(1700, false, "B"), [Picture(ms(0), ms(100), "A")]);
    assert_eq!(cutter.dropped(), 1);
}

#[test]
fn full_file_goes_on_until_a_key_frame_comes() {
    let mut cutter = open();
    assert_eq!(cutter.fill(ms(1100)), [AskKeyFrame]);
    assert_eq!(picture(&mut cutter, 1120, false, "b"), [Picture(ms(0), ms(120), "a")]);
    assert_eq!(picture(&mut cutter, 1200, true, "c"), [Picture(ms(120), ms(80), "b"), End, Begin]);
}

#[test]
fn loss_leaves_out_everything_up_to_the_next_key_frame_and_the_picture_before_stays() {
    let mut cutter = open();
    let lost = super::Picture { at: ms(1100), key: false, form: 1, after_loss: true, content: "b" };
    assert_eq!(cutter.picture(lost, true), [AskKeyFrame]);
    assert!(picture(&mut cutter, 1200, false, "c").is_empty());
    let no_room = super::Picture { at: ms(1300), key: true, form: 1, after_loss: false, content: "d" };
    assert!(cutter.picture(no_room, false).iter().all(|act| *act == AskKeyFrame));
    assert!(cutter.sound(ms(1310), "no room either", false).is_empty());
    assert_eq!(picture(&mut cutter, 1400, true, "e"), [Picture(ms(0), ms(400), "a")]);
    assert_eq!(cutter.dropped(), 4);
}

#[test]
fn key_frame_is_asked_for_now_and_then_and_not_at_each_frame() {
    let mut cutter = open();
    assert_eq!(picture(&mut cutter, 20_900, false, "b").len(), 1);
    assert!(picture(&mut cutter, 21_000, false, "c").contains(&AskKeyFrame));
    assert!(!picture(&mut cutter, 21_040, false, "d").contains(&AskKeyFrame));
    picture(&mut cutter, 21_080, true, "e");
    assert!(!picture(&mut cutter, 23_000, false, "f").contains(&AskKeyFrame));
}

#[test]
fn sound_that_stays_away_is_given_up_and_begins_another_file_when_it_comes() {
    let mut cutter = open();
    assert!(cutter.tick(ms(3900)).is_empty());
    assert_eq!(cutter.tick(ms(4000)), [EndSound]);
    assert!(cutter.tick(ms(5000)).is_empty());
    assert!(cutter.sound(ms(6000), "so soon", true).is_empty());
    assert_eq!(cutter.sound(ms(11_000), "sound", true), [AskKeyFrame]);
    assert_eq!(picture(&mut cutter, 11_100, true, "b"), [Picture(ms(0), ms(10_100), "a"), End, Begin]);
    assert_eq!(cutter.sound(ms(11_105), "sound", true), [Sound(ms(5), "sound")]);
}

#[test]
fn interruption_ends_the_file_and_the_recording_waits() {
    let mut cutter = open();
    assert_eq!(cutter.interrupt(ms(2000)), [Picture(ms(0), ms(1000), "a"), End]);
    assert!(cutter.interrupt(ms(2000)).is_empty());
    assert_eq!(cutter.tick(ms(3000)), [AskKeyFrame]);
    assert_eq!(picture(&mut cutter, 9000, true, "b"), [Begin]);
    assert_eq!(cutter.stop(ms(9500)), [Picture(ms(0), ms(500), "b"), End]);
}
