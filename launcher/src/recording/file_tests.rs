//! Tests: files of a recording, written of what real encoders make, and read again.

use super::*;
use std::os::unix::fs::PermissionsExt;

const PICTURE: Duration = Duration::from_millis(100);
/// Time for the next sample of a pipeline that works as fast as it can.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(10);
/// How often something is looked at that takes its time: for 10 s.
const LOOKS: usize = 1000;

/// What comes out of the end of a launch line.
fn samples(line: &str) -> Vec<gst::Sample> {
    let pipeline = gst::parse::launch(&format!("{line} ! appsink name=end sync=false")).unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    let end = pipeline.by_name("end").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let samples = std::iter::from_fn(|| end.try_pull_sample(PATIENCE)).collect();
    pipeline.set_state(gst::State::Null).unwrap();
    samples
}

fn pictures(count: usize, width: u32) -> Vec<gst::Sample> {
    samples(&format!(
        "videotestsrc num-buffers={count} ! video/x-raw,format=I420,width={width},height=120,framerate=10/1 \
         ! x264enc tune=zerolatency ! video/x-h264,stream-format=byte-stream,alignment=au"
    ))
}

fn sounds(count: usize) -> Vec<gst::Sample> {
    samples(&format!(
        "audiotestsrc num-buffers={count} samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! opusenc"
    ))
}

fn caps(samples: &[gst::Sample]) -> gst::Caps {
    samples[0].caps_owned().unwrap()
}

fn sound_caps() -> gst::Caps {
    crate::audio::Sources::new(&crate::config::tests::resolve(&[]).unwrap().audio).sound.caps().unwrap()
}

fn write(file: &File, pictures: &[gst::Sample]) {
    for (number, picture) in (0..).zip(pictures) {
        file.picture(PICTURE * number, PICTURE, picture.buffer_owned().unwrap());
    }
}

/// Decodes a file: how many pictures and how much sound there are, and its length if it has one.
fn play(path: &Path) -> (usize, usize, Option<gst::ClockTime>) {
    let line = format!(
        "filesrc location={} ! matroskademux name=d \
         d.video_0 ! queue ! h264parse ! openh264dec ! appsink name=pictures sync=false \
         d.audio_0 ! queue ! opusdec ! audio/x-raw,rate=48000 ! appsink name=sounds sync=false",
        path.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let [pictures, sounds] = ["pictures", "sounds"]
        .map(|name| pipeline.by_name(name).unwrap().downcast::<gst_app::AppSink>().unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let count = std::iter::from_fn(|| pictures.try_pull_sample(PATIENCE)).count();
    let bytes: usize = std::iter::from_fn(|| sounds.try_pull_sample(PATIENCE))
        .map(|sound| sound.buffer().unwrap().size())
        .sum();
    let length = pipeline.query_duration::<gst::ClockTime>();
    pipeline.set_state(gst::State::Null).unwrap();
    (count, bytes / 4, length)
}

fn become_true(what: &str, mut fact: impl FnMut() -> bool) {
    let came = (0..LOOKS).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        fact()
    });
    assert!(came, "{what}");
}

#[test]
fn file_has_picture_and_sound_its_length_and_its_name_once_it_is_whole() {
    gst::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (pictures, sounds) = (pictures(10, 160), sounds(50));
    let file = File::create(folder.path(), "a.mkv", &caps(&pictures), &sound_caps()).unwrap().unwrap();
    assert_eq!(file.part(), folder.path().join("a.mkv.part"));
    assert_eq!(fs::metadata(file.part()).unwrap().permissions().mode() & 0o777, 0o600);
    let again = File::create(folder.path(), "a.mkv", &caps(&pictures), &sound_caps()).unwrap();
    assert!(again.is_none(), "it is being written");
    write(&file, &pictures[..9]);
    for (number, sound) in (0..).zip(&sounds) {
        file.sound(Duration::from_millis(20) * number, sound.buffer_owned().unwrap());
    }
    // The last picture is shown for 1.1 s.
    file.picture(PICTURE * 9, PICTURE * 11, pictures[9].buffer_owned().unwrap());
    let path = file.finish(FINISH).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let (shown, heard, length) = play(&path);
    assert_eq!((shown, length), (10, Some(gst::ClockTime::from_seconds(2))));
    assert!((46_000..=48_400).contains(&heard), "{heard}");
    let again = File::create(folder.path(), "a.mkv", &caps(&pictures), &sound_caps()).unwrap();
    assert!(again.is_none(), "nothing is overwritten");
}

#[test]
fn file_waits_for_sound_until_none_is_expected() {
    gst::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pictures = pictures(10, 160);
    let file = File::create(folder.path(), "a.mkv", &caps(&pictures), &sound_caps()).unwrap().unwrap();
    write(&file, &pictures);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(file.bytes(), 0);
    file.end_sound();
    become_true("the pictures are written", || file.bytes() > 1000);
    // As of a process that is killed: there is no end.
    let killed = folder.path().join("killed.mkv");
    fs::copy(file.part(), &killed).unwrap();
    let line = format!("filesrc location={} ! matroskademux ! h264parse ! openh264dec", killed.display());
    assert!(samples(&line).len() >= 9);
    assert_eq!(
        samples(&format!(
            "filesrc location={} ! matroskademux ! h264parse",
            file.finish(FINISH).unwrap().display()
        ))
        .len(),
        10
    );
}

#[test]
fn disk_that_is_full_is_told_and_nobody_waits_for_it() {
    gst::init().unwrap();
    let (pictures, full) = (pictures(10, 160), PathBuf::from("/dev/full"));
    let file = File::open(full.clone(), full, &caps(&pictures), &sound_caps()).unwrap();
    write(&file, &pictures);
    file.end_sound();
    let mut trouble = None;
    become_true("the trouble is told", || {
        trouble = file.trouble();
        trouble.is_some()
    });
    assert_eq!(trouble.unwrap().reason, RecordingFailure::DiskFull);
    write(&file, &pictures);
}

#[test]
fn pictures_that_need_another_header_are_not_written() {
    gst::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (small, large) = (pictures(5, 160), pictures(5, 320));
    // What an encoder that takes over may do: its caps say nothing of it.
    let caps = gst::Caps::builder("video/x-h264").field("stream-format", "byte-stream");
    let caps = caps.field("alignment", "au").build();
    let file = File::create(folder.path(), "a.mkv", &caps, &sound_caps()).unwrap().unwrap();
    file.end_sound();
    write(&file, &small);
    become_true("the small ones are written", || file.bytes() > 500);
    assert!(!file.is_over());
    for (number, picture) in (5..).zip(&large) {
        file.picture(PICTURE * number, PICTURE, picture.buffer_owned().unwrap());
    }
    become_true("the file is over", || file.is_over());
    let path = file.finish(FINISH).unwrap();
    assert_eq!(samples(&format!("filesrc location={} ! matroskademux ! h264parse", path.display())).len(), 5);
}
