//! Setup: what a Selkies client says, and is told, with plain lines.

use super::{super::line::read, *};
use vdi_protocol::{phase::Phase, settings::Choice};

const NOW: Duration = Duration::from_secs(5);

fn hear(page: &mut Page, text: &str) -> Vec<Said> {
    page.hear(read(text).unwrap(), NOW).said
}

fn button(button: u8, down: bool, x: u16, y: u16) -> Said {
    Said::Input(Input::Button { button, down, x, y })
}

fn wheel(dy: i32) -> Said {
    Said::Input(Input::Wheel { dx: 0, dy })
}

#[test]
fn keys_go_as_they_are() {
    let mut page = Page::default();
    assert_eq!(hear(&mut page, "kd,97"), [Said::Input(Input::Key { keysym: 97, down: true })]);
    assert_eq!(hear(&mut page, "ku,97"), [Said::Input(Input::Key { keysym: 97, down: false })]);
    assert_eq!(hear(&mut page, "kr"), [Said::Input(Input::ReleaseAll)]);
}

#[test]
fn a_click_is_a_place_and_a_button_that_goes_down_and_up_once() {
    let mut page = Page::default();
    assert_eq!(
        hear(&mut page, "m,30,40,1,0"),
        [Said::Pointer(Pointing::Motion { seq: 1, x: 30, y: 40 }), button(0, true, 30, 40)]
    );
    assert_eq!(hear(&mut page, "m,31,40,1,0"), [Said::Pointer(Pointing::Motion { seq: 2, x: 31, y: 40 })]);
    assert_eq!(hear(&mut page, "m,31,40,0,0"), [button(0, false, 31, 40)]);
    assert_eq!(hear(&mut page, "m,31,40,0,0"), []);
}

#[test]
fn a_turn_of_the_wheel_is_no_button_and_its_end_is_nothing() {
    let mut page = Page::default();
    assert_eq!(hear(&mut page, "m,0,0,8,3"), [wheel(360)]);
    assert_eq!(hear(&mut page, "m,0,0,0,3"), []);
    assert_eq!(hear(&mut page, "m,0,0,16,1"), [wheel(-120)]);
    assert_eq!(hear(&mut page, "m,0,0,0,1"), []);
    // An older client tells no magnitude, and one that lies turns no further than a hand.
    assert_eq!(hear(&mut page, "m,0,0,8"), [wheel(120)]);
    assert_eq!(hear(&mut page, "m,0,0,0"), []);
    assert_eq!(hear(&mut page, "m,0,0,8,4000000000"), [wheel(6_000)]);
}

#[test]
fn side_buttons_are_buttons_although_they_share_their_bits_with_the_wheel() {
    let mut page = Page::default();
    assert_eq!(hear(&mut page, "m,0,0,8,0"), [button(3, true, 0, 0)]);
    assert_eq!(hear(&mut page, "m,0,0,24,0"), [button(4, true, 0, 0)]);
    assert_eq!(hear(&mut page, "m,0,0,16,0"), [button(3, false, 0, 0)]);
    assert_eq!(hear(&mut page, "m,0,0,0,0"), [button(4, false, 0, 0)]);
}

#[test]
fn the_wheel_turns_while_a_button_is_held() {
    let mut page = Page::default();
    hear(&mut page, "m,0,0,4,0");
    assert_eq!(hear(&mut page, "m,0,0,12,2"), [wheel(240)]);
    assert_eq!(hear(&mut page, "m,0,0,4,2"), []);
    assert_eq!(hear(&mut page, "m,0,0,0,0"), [button(2, false, 0, 0)]);
}

#[test]
fn places_of_a_smaller_picture_are_those_of_the_desktop_and_none_is_outside_of_numbers() {
    let mut page = Page::default();
    let half =
        Quality { source_width: 1920, source_height: 1080, width: 960, height: 540, ..Quality::default() };
    page.tell(&ToPage::Quality(half));
    assert_eq!(
        hear(&mut page, "m,480,270,0,0"),
        [Said::Pointer(Pointing::Motion { seq: 1, x: 960, y: 540 })]
    );
    assert_eq!(hear(&mut page, "m,-5,999999999999,0,0").len(), 1);
    assert_eq!(page.at.0, 0);
}

#[test]
fn a_desktop_that_changes_its_size_does_not_move_the_pointer_before_its_picture_has_come() {
    let mut page = Page::default();
    let whole = |width, height| {
        ToPage::Quality(Quality {
            source_width: width,
            source_height: height,
            width,
            height,
            ..Quality::default()
        })
    };
    page.tell(&ToPage::Display { width: 1000, height: 600 });
    page.tell(&whole(1000, 600));
    page.tell(&ToPage::Display { width: 1280, height: 720 });
    let place = |seq, x, y| [Said::Pointer(Pointing::Motion { seq, x, y })];
    assert_eq!(hear(&mut page, "m,10,20,0,0"), place(1, 10, 20));
    page.tell(&whole(1280, 720));
    assert_eq!(hear(&mut page, "m,11,20,0,0"), place(2, 11, 20));
}

#[test]
fn line_of_status_says_when_a_recording_begins_and_ends_and_nothing_where_there_is_none() {
    let mut page = Page::default();
    let mut told =
        |running| page.tell(&ToPage::Recording(Recording { on_request: true, running })).join("\n");
    assert_eq!(told(false), "");
    assert!(told(true).contains("The session is being recorded."));
    assert!(told(false).contains("The session is recorded no more."));
    let failed = page.tell(&ToPage::RecordingFailed { reason: RecordingFailure::DiskFull });
    assert!(failed.join("\n").contains("The recording has ended: the disk is full."));
}

#[test]
fn settings_are_told_at_the_beginning_and_the_encoder_when_it_changes() {
    let mut page = Page::default();
    let mut lines = page.greet(&Greeting { audio_bps: 128_000 });
    let now = Choice { framerate: 60, bitrate_bps: 8_000_000, ..Choice::default() };
    lines.extend(page.tell(&ToPage::Settings(Settings { now, ..Settings::default() })));
    lines.extend(page.tell(&ToPage::Screen(Screen { resizable: true, ..Screen::default() })));
    let lines = lines.join("\n");
    for words in ["framerate,60", "video_bitrate,8000", "audio_bitrate,128000", "resize,True"] {
        assert!(lines.contains(&format!(r#"{{"data":{{"action":"{words}"}},"type":"system"}}"#)), "{lines}");
    }
    let quality = |encoder: &str| ToPage::Quality(Quality { encoder: encoder.into(), ..Quality::default() });
    assert_eq!(page.tell(&quality("x264enc")).len(), 1);
    assert_eq!(page.tell(&quality("x264enc")).len(), 0);
    assert!(page.tell(&quality("nvh264enc"))[0].contains("encoder,nvh264enc"));
}

#[test]
fn window_is_told_with_its_scale_as_long_as_the_desktop_is_to_follow_it() {
    let mut page = Page::default();
    assert_eq!(hear(&mut page, "s,1.5"), []);
    assert_eq!(hear(&mut page, "r,1200x800"), [], "it is not to");
    let viewport =
        |width, height, scale| [Said::Control(FromPage::Viewport(Viewport { width, height, scale }))];
    assert_eq!(hear(&mut page, "_arg_resize,true,1000x600"), viewport(1000, 600, 1.5));
    assert_eq!(hear(&mut page, "s,1"), viewport(1000, 600, 1.0));
    assert_eq!(hear(&mut page, "_arg_resize,false,1000x600"), []);
    page.tell(&ToPage::Screen(Screen { resizable: true, ..Screen::default() }));
    assert_eq!(hear(&mut page, "r,1200x800"), viewport(1200, 800, 1.0));
}

#[test]
fn locked_pointer_tells_how_far_it_has_gone_and_each_lock_begins_anew() {
    let mut page = Page::default();
    let travel = |seq, lock, x, y| Said::Pointer(Pointing::Travel { seq, way: Way { lock, x, y } });
    assert_eq!(hear(&mut page, "m2,5,-3,0,0"), [travel(1, 1, 5, -3)]);
    assert_eq!(hear(&mut page, "m2,5,-3,0,0"), [travel(2, 1, 10, -6)]);
    let down = Input::LockedButton { button: 0, down: true, seq: 2, way: Way { lock: 1, x: 10, y: -6 } };
    assert_eq!(hear(&mut page, "m2,0,0,1,0"), [Said::Input(down)]);
    hear(&mut page, "m,7,7,0,0");
    assert_eq!(hear(&mut page, "m2,1,1,0,0"), [travel(4, 2, 1, 1)]);
}

#[test]
fn client_begins_to_control_each_time_that_it_has_not_before() {
    let mut page = Page::default();
    let mut begins = |role| {
        let (phase, consumers) = (Phase::Streaming, 1);
        page.begins_to_control(&ToPage::Session { phase, reason: None, message: None, role, consumers })
    };
    let roles = [Role::Viewer, Role::Controller, Role::Controller, Role::Viewer, Role::Controller];
    assert_eq!(roles.map(&mut begins), [false, true, false, false, true]);
}

#[test]
fn bit_rate_and_frame_rate_are_wishes_like_those_of_our_own_page() {
    let mut page = Page::default();
    let wished = |wish| [Said::Control(FromPage::Settings(wish))];
    assert_eq!(hear(&mut page, "vb,4000"), wished(Wish { bitrate_bps: Some(4_000_000), ..Wish::default() }));
    assert_eq!(hear(&mut page, "_arg_fps,15"), wished(Wish { framerate: Some(15), ..Wish::default() }));
}

#[test]
fn shapes_have_handles_of_their_own_and_an_invisible_one_says_so() {
    let mut page = Page::default();
    let mut tell = |png: &str| -> Value {
        let cursor = Cursor { png: png.into(), width: 1, height: 1, hotspot_x: 2, hotspot_y: 3 };
        serde_json::from_str(&page.tell(&ToPage::Cursor(cursor))[0]).unwrap()
    };
    let (arrow, hand, none) = (tell("aa"), tell("bb"), tell(""));
    assert_eq!(arrow["data"]["curdata"], "aa");
    assert_eq!(arrow["data"]["hotspot"], json!({ "x": 2, "y": 3 }));
    assert_eq!((&arrow["data"]["override"], &none["data"]["override"]), (&Value::Null, &json!("none")));
    assert_ne!(arrow["data"]["handle"], hand["data"]["handle"]);
    assert_eq!(arrow["data"]["handle"], tell("aa")["data"]["handle"]);
}

#[test]
fn the_answer_to_a_ping_is_half_of_the_way_there_and_back() {
    let mut page = Page::default();
    assert!(page.ping(Duration::from_millis(1_000)).contains(r#""start_time":1.0"#));
    let heard = page.hear(Line::Pong, Duration::from_millis(1_030));
    assert!(heard.answer.unwrap().contains(r#""latency_ms":15.0"#));
    assert_eq!(page.hear(Line::Pong, NOW).answer, None, "nobody had asked");
}
