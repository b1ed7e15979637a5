//! Shell: the streaming thread's work: it waits for the server and for requests, does what the schedule says, and makes frames.
//! Refuses to know GObject: times are on its own scale, and what it has made is given to its caller.

use super::{
    arrivals::Arrivals,
    cursor::CursorImage,
    error::Error,
    picture::Picture,
    pixels::{Converter, FramePool, Refused, Region},
    requests::{Options, Requests},
    schedule::{Action, Schedule},
    stats::Stats,
    x11::{Selection, Sharing, Wanted},
};
use gst_video::VideoInfo;
use std::time::{Duration, Instant};
use x11rb::{connection::Connection as _, errors::ConnectionError, protocol::Event};

/// How often the pointer's place is asked for where the server does not tell of motion.
const POINTER_POLL: Duration = Duration::from_millis(33);

/// A server that refuses to give pixels, although nothing is known to have changed, is asked again after this time.
const REFUSED_DELAY: Duration = Duration::from_millis(100);

/// What has happened.
pub enum Step {
    /// A frame is to leave.
    Frame(Made),
    /// Frames have another size now, or nobody has said yet what they are to be: tell [`Requests`].
    Resized,
    /// The pointer looks like this now.
    Cursor(CursorImage),
    /// The streaming thread is to come back.
    Stopped,
}

/// A frame and when it came about.
pub struct Made {
    /// Its pixels, without timestamps.
    pub buffer: gst::Buffer,
    /// When the first change in it was on the screen; none if there is none.
    pub damaged: Option<Duration>,
    /// When its pixels had been fetched.
    pub captured: Duration,
    /// When they had been converted.
    pub converted: Duration,
}

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The server.
    #[error(transparent)]
    Display(#[from] Error),
    /// The output.
    #[error("the picture cannot be converted: {0}")]
    Convert(#[from] Refused),
}

struct Output {
    pool: FramePool,
    converter: Converter,
}

/// A display that is being captured.
pub struct Capture {
    picture: Picture,
    output: Option<Output>,
    /// The server has told of damage that was not taken.
    is_damaged: bool,
    /// Size or visibility may have changed.
    is_moved: bool,
    /// The last step was broken off.
    is_interrupted: bool,
    is_cursor_stale: bool,
    is_cursor_untold: bool,
    options: Options,
    schedule: Schedule,
    arrivals: Arrivals,
    epoch: Instant,
    stats: Stats,
}

impl Capture {
    /// Opens the display and begins to watch; frames come once the output is known.
    #[expect(clippy::disallowed_methods, reason = "the origin of this shell's times")]
    pub fn start(
        name: Option<&str>,
        wanted: Wanted,
        selection: Selection,
        options: Options,
        requests: &Requests,
    ) -> Result<Self, Error> {
        let picture = Picture::open(name, wanted, selection, &requests.bell)?;
        let stats = Stats {
            shm: picture.display.sharing != Sharing::Copies,
            damage: picture.display.damage,
            xfixes: picture.display.xfixes,
            ..Stats::default()
        };
        let mut capture = Self {
            picture,
            output: None,
            is_damaged: false,
            is_moved: false,
            is_interrupted: false,
            is_cursor_stale: true,
            is_cursor_untold: options.cursor_messages,
            options,
            schedule: Schedule::new(options.rules),
            arrivals: Arrivals::default(),
            epoch: Instant::now(),
            stats,
        };
        capture.set_options(options)?;
        Ok(capture)
    }

    /// Columns and lines of what is captured.
    pub fn size(&self) -> (u32, u32) {
        self.picture.size()
    }

    /// The display's name.
    pub fn name(&self) -> &str {
        &self.picture.display.name
    }

    /// What the server lacks.
    pub fn shortcomings(&self) -> Vec<String> {
        self.picture.display.shortcomings(self.picture.target())
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Now, on the scale of [`Made`]'s times.
    pub fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn total_px(&self) -> u64 {
        let (width, height) = self.size();
        u64::from(width) * u64::from(height)
    }

    /// Works until there is something to tell.
    pub fn step(&mut self, requests: &Requests) -> Result<Step, Failed> {
        if std::mem::take(&mut self.is_interrupted) {
            // An answer may have been thrown away.
            self.picture.miss_everything();
            self.schedule.demand();
        }
        let result = self.step_on(requests);
        if requests.bell.is_stopping() {
            self.is_interrupted = true;
            return Ok(Step::Stopped);
        }
        result
    }

    fn step_on(&mut self, requests: &Requests) -> Result<Step, Failed> {
        while !requests.bell.is_stopping() {
            self.take_requests(requests)?;
            let has_size = std::mem::take(&mut self.is_moved) && self.follow()?;
            if has_size || self.output.is_none() {
                return Ok(Step::Resized);
            }
            self.learn_cursor()?;
            if std::mem::take(&mut self.is_cursor_untold)
                && let Some(cursor) = self.picture.cursor()
            {
                return Ok(Step::Cursor(cursor.clone()));
            }
            // Last, since each answer that was waited for may have brought events, which the socket does not tell of again.
            self.picture.display.connection.flush().map_err(Error::from)?;
            self.take_events()?;
            if self.is_moved || self.must_learn_cursor() {
                continue;
            }
            let now = self.now();
            match self.schedule.next(now) {
                Action::Wait(until) => self.wait(until)?,
                Action::Look => self.look()?,
                Action::Repeat if self.picture.is_complete() => return Ok(Step::Frame(self.repeat()?)),
                Action::Capture | Action::Repeat => {
                    if let Some(made) = self.capture()? {
                        return Ok(Step::Frame(made));
                    }
                }
            }
        }
        Ok(Step::Stopped)
    }

    fn take_requests(&mut self, requests: &Requests) -> Result<(), Failed> {
        let pending = requests.take();
        if let Some(options) = pending.options {
            self.set_options(options)?;
        }
        if let Some(throttle) = pending.throttle {
            self.schedule.set_throttle(throttle);
        }
        if pending.demand {
            self.schedule.demand();
        }
        if let Some(info) = pending.output {
            self.set_output(&info)?;
        }
        Ok(())
    }

    fn set_output(&mut self, info: &VideoInfo) -> Result<(), Failed> {
        self.output = None;
        let (width, height) = self.size();
        // Whoever has negotiated for a size that is over is asked again.
        if (width & !1..=width).contains(&info.width()) && (height & !1..=height).contains(&info.height()) {
            let converter = Converter::new(self.picture.layout()?, info)?;
            self.output = Some(Output { pool: FramePool::new(info), converter });
            self.schedule.demand();
        }
        Ok(())
    }

    fn set_options(&mut self, options: Options) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.options, options);
        let mut rules = options.rules;
        rules.poll = self.picture.must_poll();
        self.schedule.set_rules(rules);
        let shape = options.show_pointer || options.cursor_messages;
        self.picture.watch_pointer(shape, options.show_pointer)?;
        if options.cursor_messages && !before.cursor_messages {
            self.is_cursor_stale = true;
            self.is_cursor_untold = true;
        }
        if options.show_pointer != before.show_pointer {
            self.is_cursor_stale = true;
            self.schedule.damaged(self.now());
        }
        Ok(())
    }

    fn take_events(&mut self) -> Result<(), Error> {
        while let Some(event) = self.picture.display.connection.poll_for_event()? {
            let target = self.picture.target();
            match event {
                Event::DamageNotify(event) => {
                    let happened = self.arrivals.happened(self.now(), event.timestamp);
                    self.is_damaged = true;
                    self.schedule.damaged(happened);
                }
                Event::ConfigureNotify(event) if event.window == target.window => {
                    self.is_moved |= target.size != (event.width.into(), event.height.into());
                }
                Event::UnmapNotify(event) => self.is_moved |= event.window == target.window,
                Event::MapNotify(event) if event.window == target.window => {
                    // Its pixels are others, even if it was hidden for less time than it takes to notice.
                    self.is_moved = true;
                    self.picture.miss_everything();
                    self.schedule.damaged(self.now());
                }
                Event::DestroyNotify(event) if event.window == target.window => {
                    return Err(Error::WindowGone(event.window));
                }
                Event::XfixesCursorNotify(_) => {
                    self.is_cursor_stale = true;
                    self.is_cursor_untold |= self.options.cursor_messages;
                    if self.options.show_pointer {
                        self.schedule.damaged(self.now());
                    }
                }
                Event::XinputRawMotion(_) if self.options.show_pointer => self.schedule.damaged(self.now()),
                _ => {}
            }
        }
        Ok(())
    }

    fn must_learn_cursor(&self) -> bool {
        self.is_cursor_stale && (self.options.show_pointer || self.is_cursor_untold)
    }

    fn learn_cursor(&mut self) -> Result<(), Error> {
        if self.must_learn_cursor() {
            self.is_cursor_stale = false;
            self.picture.learn_cursor()?;
        }
        Ok(())
    }

    fn wait(&mut self, until: Option<Duration>) -> Result<(), Error> {
        let mut left = until.map(|until| until.saturating_sub(self.now()));
        let display = &self.picture.display;
        let must_poll = self.options.show_pointer && display.xfixes && !display.raw_motion;
        if must_poll {
            left = Some(left.map_or(POINTER_POLL, |left| left.min(POINTER_POLL)));
        }
        display.connection.stream().wait_for_event(left).map_err(ConnectionError::from)?;
        if must_poll && self.picture.has_pointer_moved()? {
            self.schedule.damaged(self.now());
        }
        Ok(())
    }

    /// Another size or visibility. Tells whether frames have another size.
    fn follow(&mut self) -> Result<bool, Error> {
        let has_size = self.picture.follow()?;
        if has_size {
            self.output = None;
        }
        // A change of size is a change of the picture; that the server has refused pixels is none.
        if has_size {
            self.schedule.damaged(self.now());
        }
        Ok(has_size)
    }

    fn look(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.is_damaged) {
            self.picture.look()?;
        }
        let now = self.now();
        self.schedule.looked(now);
        Ok(())
    }

    fn capture(&mut self) -> Result<Option<Made>, Failed> {
        let began = self.now();
        // Whoever polls knows no better.
        let is_polled = self.picture.must_poll() && !self.schedule.is_demanded();
        let damaged = self.schedule.damage_since().or(is_polled.then_some(began));
        let mut changed = Region::empty();
        let fetched = self.picture.fetch(self.options.show_pointer, &mut changed);
        if let Some(output) = &mut self.output {
            output.pool.damage(&changed);
        }
        match fetched {
            Ok(fetched_px) => self.stats.fetched_px += fetched_px,
            Err(Error::Refused(_)) => {
                // The window has another size, or is hidden, which we are about to hear of.
                self.is_moved = true;
                self.schedule.found_nothing(began);
                let made = self.schedule.is_demanded().then(|| self.repeat()).transpose()?;
                self.schedule.damaged(began + REFUSED_DELAY);
                return Ok(made);
            }
            Err(error) => return Err(error.into()),
        }
        let captured = self.now();
        self.stats.fetch_time += captured - began;
        if changed.is_empty() {
            self.schedule.found_nothing(began);
            return self.schedule.is_demanded().then(|| self.repeat()).transpose();
        }
        let made = self.make(captured, damaged)?;
        self.schedule.captured(began, changed.area(), self.total_px());
        self.stats.damaged += 1;
        self.stats.damaged_px += changed.area();
        Ok(Some(made))
    }

    fn repeat(&mut self) -> Result<Made, Failed> {
        let now = self.now();
        let made = self.make(now, None)?;
        self.schedule.repeated(now, self.total_px());
        self.stats.repeated += 1;
        Ok(made)
    }

    fn make(&mut self, captured: Duration, damaged: Option<Duration>) -> Result<Made, Failed> {
        let Some(output) = &mut self.output else { return Err(Refused::Format("none".to_owned()).into()) };
        let (pixels, stride) = self.picture.pixels();
        let (buffer, converted_px) = output.pool.take(&mut output.converter, pixels, stride)?;
        let converted = self.now();
        self.stats.converted_px += converted_px;
        self.stats.convert_time += converted - captured;
        Ok(Made { buffer, damaged, captured, converted })
    }
}
