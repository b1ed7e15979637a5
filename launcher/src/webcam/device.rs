//! Shell: the device of v4l2loopback that programs take for a camera: found, opened, set to the one format, and written.

use super::picture::{BYTES, HEIGHT_PX, WIDTH_PX};
use crate::config::Webcam;
use linuxvideo::{
    CapabilityFlags, VideoOutputDevice,
    format::{PixFormat, PixelFormat},
};
use rustix::fs::{FlockOperation, flock};
use std::{
    io::{self, Write},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

/// What v4l2loopback calls itself.
const DRIVER: &str = "v4l2 loopback";
/// Where Linux lists video devices behind which there is no hardware. Real cameras are not even opened.
const LISTED: &str = "/sys/devices/virtual/video4linux";

/// Why there is no webcam on most machines.
pub const NO_DEVICE: &str = "there is no device of v4l2loopback";

/// A device that takes pictures.
pub struct Device {
    file: VideoOutputDevice,
    /// Where it is.
    pub path: PathBuf,
}

impl Device {
    /// Opens what is wanted, or says why that cannot be.
    pub fn open(wanted: &Webcam) -> Result<Self, String> {
        let path = match wanted {
            Webcam::Off => return Err("it is switched off".into()),
            Webcam::Auto => return first_free(Path::new(LISTED)),
            Webcam::Device(path) => path,
        };
        open(path).map_err(Refusal::words)
    }

    /// Shows a picture.
    pub fn write(&mut self, picture: &[u8]) -> io::Result<()> {
        match self.file.write(picture)? {
            BYTES => Ok(()),
            some => Err(io::Error::other(format!("it took {some} of {BYTES} bytes"))),
        }
    }
}

/// Why a device cannot be written.
enum Refusal {
    /// It is none of v4l2loopback.
    Other(String),
    /// It is one.
    Unusable(String),
}

impl Refusal {
    fn words(self) -> String {
        match self {
            Self::Other(words) | Self::Unusable(words) => words,
        }
    }
}

/// The first one that nobody else writes to.
fn first_free(listed: &Path) -> Result<Device, String> {
    let mut why = None;
    for path in devices(listed) {
        match open(&path) {
            Ok(device) => return Ok(device),
            Err(Refusal::Unusable(words)) => why = why.or(Some(words)),
            Err(Refusal::Other(_)) => {}
        }
    }
    Err(why.unwrap_or_else(|| NO_DEVICE.into()))
}

/// The devices of a list, by their numbers.
fn devices(listed: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(listed).into_iter().flatten().flatten();
    let number = |name: String| name.strip_prefix("video")?.parse::<u32>().ok();
    let mut numbers: Vec<_> =
        names.filter_map(|entry| number(entry.file_name().into_string().ok()?)).collect();
    numbers.sort_unstable();
    numbers.iter().map(|number| PathBuf::from(format!("/dev/video{number}"))).collect()
}

fn open(path: &Path) -> Result<Device, Refusal> {
    let shown = path.display();
    let unusable = |words: String| Refusal::Unusable(words);
    let device = linuxvideo::Device::open(path).map_err(|err| match err.kind() {
        io::ErrorKind::NotFound => Refusal::Other(format!("there is no {shown}")),
        io::ErrorKind::PermissionDenied => unusable(format!(
            "{shown} may not be opened by this user, who needs its group (often video): {err}"
        )),
        _ if err.raw_os_error() == Some(rustix::io::Errno::NOTTY.raw_os_error()) => {
            Refusal::Other(format!("{shown} is no video device"))
        }
        _ => unusable(format!("{shown} cannot be opened: {err}")),
    })?;
    let facts =
        device.capabilities().map_err(|err| Refusal::Other(format!("{shown} is no video device: {err}")))?;
    if facts.driver() != DRIVER {
        return Err(Refusal::Other(format!(
            "{shown} is no device of v4l2loopback but of {}",
            facts.driver()
        )));
    }
    // With exclusive_caps it takes pictures of one program at a time, and tells.
    if !facts.device_capabilities().contains(CapabilityFlags::VIDEO_OUTPUT) {
        return Err(unusable(format!("another program writes to {shown}")));
    }
    let format = PixFormat::new(WIDTH_PX as u32, HEIGHT_PX as u32, PixelFormat::YUYV);
    let file =
        device.video_output(format).map_err(|err| unusable(format!("{shown} cannot be written: {err}")))?;
    // Without, it would mix what two sessions of a machine show.
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| unusable(format!("another session writes to {shown}")))?;
    let agreed = file.format();
    let is_ours = (agreed.width() as usize, agreed.height() as usize, agreed.pixel_format())
        == (WIDTH_PX, HEIGHT_PX, PixelFormat::YUYV);
    if !is_ours {
        return Err(unusable(format!(
            "another program has set {shown} to {} pictures of {}×{}",
            agreed.pixel_format(),
            agreed.width(),
            agreed.height()
        )));
    }
    become_writer(&file);
    Ok(Device { file, path: path.to_owned() })
}

/// Version 0.12.7 takes nobody for a writer who has not begun to stream, and so would never know that the writer has gone. A driver that
/// wants buffers before may refuse it, and `write` says by itself whether it works.
#[allow(unsafe_code, reason = "a request of V4L2 for which linuxvideo has no function")]
fn become_writer(file: &VideoOutputDevice) {
    nix::ioctl_write_ptr!(stream_on, b'V', 18, nix::libc::c_int);
    /// `V4L2_BUF_TYPE_VIDEO_OUTPUT`
    static OUTPUT: nix::libc::c_int = 2;
    // SAFETY: the request reads one integer, which outlives the call, and the file is open.
    let _ = unsafe { stream_on(file.as_raw_fd(), &raw const OUTPUT) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_tried_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["video10", "video9", "vbi0", "video", "video1x"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        assert_eq!(devices(folder.path()), [PathBuf::from("/dev/video9"), PathBuf::from("/dev/video10")]);
        assert!(devices(Path::new("/nonexistent")).is_empty());
    }

    #[test]
    fn what_is_missing_or_no_camera_is_told_in_words() {
        let words = |wanted| Device::open(&wanted).err().unwrap();
        assert_eq!(words(Webcam::Off), "it is switched off");
        assert_eq!(words(Webcam::Device("/dev/video1234".into())), "there is no /dev/video1234");
        assert!(words(Webcam::Device("/dev/null".into())).starts_with("/dev/null "));
        assert_eq!(
            first_free(Path::new("/nonexistent")).err().unwrap(),
            "there is no device of v4l2loopback"
        );
    }
}
