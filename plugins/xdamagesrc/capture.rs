//! Shell: the streaming thread's work: it waits for the server and for requests, does what the schedule says, and makes frames.
//! Refuses to know GObject: times are on its own scale, and what it has made is given to its caller.

use super::{
    arrivals::Arrivals,
    cursor::{CursorImage, Overlay},
    error::Error,
    pixels::{Converter, FramePool, PixelLayout, Rect, Refused, Region, fetches},
    requests::{Options, Requests},
    schedule::{Action, Schedule},
    stats::Stats,
    x11::{Changed, Display, Frame, Pointer, Selection, Sharing, Source, Target, Wanted, Watch},
};
use gst_video::VideoInfo;
use std::time::{Duration, Instant};
use x11rb::{
    connection::Connection as _,
    protocol::{Event, xproto::Rectangle},
};

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
    display: Display,
    target: Target,
    selection: Selection,
    watch: Watch,
    /// The part of the target that is captured.
    area: Rect,
    layout: PixelLayout,
    frame: Frame,
    output: Option<Output>,
    /// What has changed on the server and is not in the frame.
    missing: Region,
    /// The server has told of damage that was not taken.
    is_damaged: bool,
    /// Size or visibility may have changed.
    is_moved: bool,
    /// The last step was broken off.
    is_interrupted: bool,
    options: Options,
    schedule: Schedule,
    arrivals: Arrivals,
    pointer: Pointer,
    overlay: Overlay,
    cursor: Option<CursorImage>,
    is_cursor_stale: bool,
    untold_cursor: bool,
    pointer_place: Option<(i32, i32)>,
    epoch: Instant,
    stats: Stats,
}

fn clipped(rectangle: &Rectangle, area: Rect) -> Rect {
    let span = |first: i16, length: u16, start: u32, all: u32| {
        let first = i64::from(first) - i64::from(start);
        let last = (first + i64::from(length)).clamp(0, i64::from(all));
        let first = first.clamp(0, i64::from(all));
        (first as u32, (last - first) as u32)
    };
    let (x, width) = span(rectangle.x, rectangle.width, area.x, area.width);
    let (y, height) = span(rectangle.y, rectangle.height, area.y, area.height);
    Rect::new(x, y, width, height)
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
        let mut display = Display::open(name, wanted, &requests.bell)?;
        let target = Target::find(&display, &selection)?;
        let layout = display.layout(target.depth, target.visual)?;
        let area = Self::area(&selection, &target)?;
        let watch = Watch::start(&display, &target)?;
        let frame = Frame::new(&mut display, area.width, area.height)?;
        let stats = Stats {
            shm: display.sharing != Sharing::Copies,
            damage: display.damage,
            xfixes: display.xfixes,
            ..Stats::default()
        };
        let mut capture = Self {
            schedule: Schedule::new(options.rules),
            display,
            target,
            selection,
            watch,
            area,
            layout,
            frame,
            output: None,
            missing: Region::full(area.width, area.height),
            is_damaged: false,
            is_moved: false,
            is_interrupted: false,
            options,
            arrivals: Arrivals::default(),
            pointer: Pointer::default(),
            overlay: Overlay::default(),
            cursor: None,
            is_cursor_stale: true,
            untold_cursor: options.cursor_messages,
            pointer_place: None,
            epoch: Instant::now(),
            stats,
        };
        capture.set_options(options)?;
        Ok(capture)
    }

    fn area(selection: &Selection, target: &Target) -> Result<Rect, Error> {
        let (width, height) = target.size;
        let (x, y) = selection.start;
        selection.area(width, height).ok_or(Error::Outside { width, height, x, y })
    }

    /// Columns and lines of what is captured.
    pub fn size(&self) -> (u32, u32) {
        self.frame.size()
    }

    /// The display's name.
    pub fn name(&self) -> &str {
        &self.display.name
    }

    /// What the server lacks.
    pub fn shortcomings(&self) -> Vec<String> {
        self.display.shortcomings(&self.target)
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
        self.area.area()
    }

    /// Works until there is something to tell.
    pub fn step(&mut self, requests: &Requests) -> Result<Step, Failed> {
        if std::mem::take(&mut self.is_interrupted) {
            // An answer may have been thrown away.
            self.miss_everything();
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
            if std::mem::take(&mut self.untold_cursor)
                && let Some(cursor) = &self.cursor
            {
                return Ok(Step::Cursor(cursor.clone()));
            }
            // Last, since each answer that was waited for may have brought events, which the socket does not tell of again.
            self.display.connection.flush().map_err(Error::from)?;
            self.take_events()?;
            if self.is_moved || self.must_learn_cursor() {
                continue;
            }
            let now = self.now();
            match self.schedule.next(now) {
                Action::Wait(until) => self.wait(until)?,
                Action::Look => self.look()?,
                Action::Repeat if self.missing.is_empty() => return Ok(Step::Frame(self.repeat()?)),
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
        // Somebody who has negotiated for a size that is over is asked again.
        let fits = info.width() <= self.area.width && info.height() <= self.area.height;
        self.output = None;
        if fits {
            let converter = Converter::new(self.layout, info)?;
            self.output = Some(Output { pool: FramePool::new(info), converter });
            self.schedule.demand();
        }
        Ok(())
    }

    fn set_options(&mut self, options: Options) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.options, options);
        let mut rules = options.rules;
        rules.poll = matches!(self.watch, Watch::Nothing);
        self.schedule.set_rules(rules);
        let shape = options.show_pointer || options.cursor_messages;
        self.pointer.watch(&self.display, shape, options.show_pointer)?;
        if options.cursor_messages && !before.cursor_messages {
            self.is_cursor_stale = true;
            self.untold_cursor = true;
        }
        if options.show_pointer != before.show_pointer {
            self.is_cursor_stale = true;
            self.schedule.damaged(self.now());
        }
        Ok(())
    }

    fn take_events(&mut self) -> Result<(), Error> {
        while let Some(event) = self.display.connection.poll_for_event()? {
            match event {
                Event::DamageNotify(event) => {
                    let happened = self.arrivals.happened(self.now(), event.timestamp);
                    self.is_damaged = true;
                    self.schedule.damaged(happened);
                }
                Event::ConfigureNotify(event) if event.window == self.target.window => {
                    self.is_moved |= self.target.size != (event.width.into(), event.height.into());
                }
                Event::MapNotify(event) => self.is_moved |= event.window == self.target.window,
                Event::UnmapNotify(event) => self.is_moved |= event.window == self.target.window,
                Event::DestroyNotify(event) if event.window == self.target.window => {
                    return Err(Error::WindowGone(event.window));
                }
                Event::XfixesCursorNotify(_) => {
                    self.is_cursor_stale = true;
                    self.untold_cursor |= self.options.cursor_messages;
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
        self.is_cursor_stale && (self.options.show_pointer || self.untold_cursor)
    }

    fn learn_cursor(&mut self) -> Result<(), Error> {
        if self.must_learn_cursor() {
            self.is_cursor_stale = false;
            self.cursor = self.pointer.image(&self.display)?;
        }
        Ok(())
    }

    fn wait(&mut self, until: Option<Duration>) -> Result<(), Error> {
        let mut left = until.map(|until| until.saturating_sub(self.now()));
        let must_poll = self.options.show_pointer && self.display.xfixes && !self.display.raw_motion;
        if must_poll {
            left = Some(left.map_or(POINTER_POLL, |left| left.min(POINTER_POLL)));
        }
        self.display
            .connection
            .stream()
            .wait_for_event(left)
            .map_err(x11rb::errors::ConnectionError::from)?;
        if must_poll {
            let place = self.pointer.place(&self.display, self.target.window)?;
            if place != self.pointer_place {
                self.schedule.damaged(self.now());
            }
        }
        Ok(())
    }

    /// Another size or visibility. Tells whether frames have another size.
    fn follow(&mut self) -> Result<bool, Error> {
        self.target.refresh(&self.display)?;
        self.miss_everything();
        self.schedule.damaged(self.now());
        let (width, height) = self.target.size;
        // A region that is outside of a screen that has become smaller keeps its last picture.
        let Some(area) = self.selection.area(width, height) else { return Ok(false) };
        let has_size = (area.width, area.height) != (self.area.width, self.area.height);
        self.area = area;
        if has_size {
            let frame = Frame::new(&mut self.display, area.width, area.height)?;
            std::mem::replace(&mut self.frame, frame).release(&self.display)?;
            self.overlay.forget();
            self.output = None;
            self.miss_everything();
        }
        Ok(has_size)
    }

    fn miss_everything(&mut self) {
        self.missing = Region::full(self.area.width, self.area.height);
    }

    fn look(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.is_damaged)
            && let Changed::Places(places) = self.watch.take(&self.display)?
        {
            places.iter().for_each(|place| self.missing.add(clipped(place, self.area)));
        }
        let now = self.now();
        self.schedule.looked(now);
        Ok(())
    }

    fn source(&self) -> Option<Source> {
        let (width, height) = self.target.size;
        let is_inside = self.area.right() <= width && self.area.bottom() <= height;
        let (drawable, border) = self.target.source.filter(|_| is_inside)?;
        let coordinate = |px: u32| border.saturating_add(i16::try_from(px).unwrap_or(i16::MAX));
        Some(Source { drawable, x: coordinate(self.area.x), y: coordinate(self.area.y) })
    }

    /// Brings the frame up to date. Gives what has changed in it.
    fn fetch(&mut self) -> Result<Region, Error> {
        let stride = self.frame.stride();
        let (width, height) = self.frame.size();
        let place = if self.options.show_pointer {
            self.pointer.place(&self.display, self.target.window)?
        } else {
            None
        };
        self.pointer_place = place;
        let corner = (self.area.x as i32, self.area.y as i32);
        let cursor = self.cursor.take();
        let shown = cursor
            .as_ref()
            .zip(place)
            .map(|(cursor, (x, y))| (cursor, (x.saturating_sub(corner.0), y.saturating_sub(corner.1))));
        let mut changed = Region::empty();
        let has_moved = self.overlay.differs(shown, width, height);
        if has_moved && let Some(rect) = self.overlay.rect() {
            changed.add(rect);
        }
        self.overlay.lift(self.frame.pixels_mut(), stride);
        let fetched = self.fetch_missing(&mut changed);
        // Even where the server has refused: a frame without its pointer must not leave.
        if let Some((cursor, at)) = shown {
            self.overlay.lay(cursor, at, self.frame.pixels_mut(), stride, self.layout);
        }
        if has_moved && let Some(rect) = self.overlay.rect() {
            changed.add(rect);
        }
        self.cursor = cursor;
        if let Some(output) = &mut self.output {
            output.pool.damage(&changed);
        }
        self.stats.fetched_px += fetched?;
        Ok(changed)
    }

    fn fetch_missing(&mut self, changed: &mut Region) -> Result<u64, Error> {
        let Some(source) = self.source() else {
            // It is all missing when it is shown again.
            self.missing.clear();
            return Ok(0);
        };
        let (width, height) = self.frame.size();
        let fetched = if self.watch.knows_places() {
            let fetches = fetches(&self.missing, width, height);
            self.frame.fetch(&self.display, source, &fetches)?
        } else {
            self.frame.fetch_and_compare(&self.display, source, changed)?
        };
        changed.unite(&self.missing);
        self.missing.clear();
        Ok(fetched)
    }

    fn capture(&mut self) -> Result<Option<Made>, Failed> {
        let began = self.now();
        // Whoever polls knows no better.
        let is_polled = matches!(self.watch, Watch::Nothing) && !self.schedule.is_demanded();
        let damaged = self.schedule.damage_since().or(is_polled.then_some(began));
        let changed = match self.fetch() {
            Ok(changed) => changed,
            Err(Error::Refused(_)) => {
                // The window has another size, or is hidden, which we are about to hear of.
                self.is_moved = true;
                self.schedule.found_nothing(began);
                let made = self.schedule.is_demanded().then(|| self.repeat()).transpose()?;
                self.schedule.damaged(began + REFUSED_DELAY);
                return Ok(made);
            }
            Err(error) => return Err(error.into()),
        };
        let captured = self.now();
        self.stats.fetch_time += captured - began;
        if changed.is_empty() {
            self.schedule.found_nothing(began);
            return if self.schedule.is_demanded() { self.repeat().map(Some) } else { Ok(None) };
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
        let (buffer, converted_px) =
            output.pool.take(&mut output.converter, self.frame.pixels(), self.frame.stride())?;
        let converted = self.now();
        self.stats.converted_px += converted_px;
        self.stats.convert_time += converted - captured;
        Ok(Made { buffer, damaged, captured, converted })
    }
}
