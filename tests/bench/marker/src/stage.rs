//! Shell: one content on a display: prepares its pictures and draws one after the other, each with its marker.

use crate::{
    marker,
    picture::{self, CHARACTER_PX, CORNER_PX, LINE_PX, Terminal},
    schedule::Rhythm,
    screen::{Error, Place, Screen, Stored},
};
use fastrand::Rng;

/// What is on the display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Content {
    /// A terminal full of text, which stays.
    Static,
    /// A person types into it.
    Typing,
    /// It scrolls, a line a frame.
    Text,
    /// Something like a film fills the display.
    Motion,
    /// The same with grain: it fills a link of any rate.
    Grain,
}

impl Content {
    /// The rhythm in which it changes.
    pub fn rhythm(self, seed: u64) -> Rhythm {
        match self {
            Self::Static => Rhythm::Never,
            Self::Typing => Rhythm::Typing(Rng::with_seed(seed)),
            Self::Text | Self::Motion | Self::Grain => Rhythm::Steady,
        }
    }
}

/// Place of the marker.
pub const MARKER: Place = (CORNER_PX, CORNER_PX);
/// Lines that come from below in turn.
const LINES: usize = 97;
/// Pictures of the film: 8.3 MB each at 1920x1080.
const SCENE_FRAMES: usize = 16;
/// A server that has more pictures left to copy gets no more: what it copies must not change meanwhile, and where the
/// film turns round, the picture before the last is the next.
const MAX_PENDING: u32 = 1;

/// A content on its display.
pub struct Stage {
    screen: Screen,
    content: Content,
    terminal: Terminal,
    /// Lines or pictures of the film.
    stored: Vec<Stored>,
    chance: Rng,
    typed: usize,
    /// Frames drawn so far.
    pub number: u64,
}

impl Stage {
    /// Prepares the pictures and shows the first, without a marker.
    pub fn set(content: Content, seed: u64) -> Result<Self, Error> {
        let mut screen = Screen::open()?;
        let (width, height) = (screen.width, screen.height);
        let mut chance = Rng::with_seed(seed);
        let terminal = Terminal::on(width, height);
        let mut stored = Vec::new();
        let first = match content {
            Content::Motion | Content::Grain => {
                let film: Vec<_> = picture::scene(&mut chance, width, height, SCENE_FRAMES).collect();
                for picture in film {
                    let picture =
                        if content == Content::Grain { picture.grained(&mut chance) } else { picture };
                    stored.push(screen.store(&picture)?);
                }
                stored[0]
            }
            _ => screen.store(&picture::desktop(&mut chance, width, height))?,
        };
        if content == Content::Text {
            for _ in 0..LINES {
                stored.push(screen.store(&picture::line(&mut chance, terminal.columns))?);
            }
        }
        screen.share()?;
        screen.put_stored(first, (0, 0))?;
        screen.finish()?;
        Ok(Self { screen, content, terminal, stored, chance, typed: 0, number: 0 })
    }

    /// Size of the display.
    pub fn size(&self) -> Place {
        (self.screen.width, self.screen.height)
    }

    /// The window that covers the display.
    pub fn window(&self) -> u32 {
        self.screen.window()
    }

    /// Draws the next picture with its marker, unless the server is behind. `now_us` is asked right before.
    pub fn draw(&mut self, now_us: impl Fn() -> u64) -> Result<(), Error> {
        if self.screen.pending()? > MAX_PENDING {
            return Ok(());
        }
        self.number += 1;
        let terminal = self.terminal;
        let cells = marker::cells(self.number, now_us());
        match self.content {
            Content::Motion | Content::Grain => {
                let picture = self.stored[there_and_back(self.number as usize, self.stored.len())];
                self.screen.write_marker(picture, MARKER, &cells)?;
                self.screen.put_stored(picture, (0, 0))?;
            }
            Content::Text => {
                let line = self.stored[self.number as usize % self.stored.len()];
                let (left, top) = (terminal.left, terminal.top);
                self.screen.scroll((left, top), terminal.width(), terminal.height(), LINE_PX)?;
                self.screen.put_stored(line, (left, top + terminal.height() - LINE_PX))?;
                self.screen.put_marker(MARKER, &cells)?;
            }
            Content::Typing => {
                self.type_one()?;
                self.screen.put_marker(MARKER, &cells)?;
            }
            Content::Static => self.screen.put_marker(MARKER, &cells)?,
        }
        self.screen.flush()
    }

    /// The next character, and the cursor behind it, in the lower half of the terminal; full, it begins there anew.
    fn type_one(&mut self) -> Result<(), Error> {
        let terminal = self.terminal;
        let (first, columns) = (terminal.rows / 2, terminal.columns - 1);
        let row = first + self.typed / columns % (terminal.rows - first);
        let column = self.typed % columns;
        let letter = match self.chance.u32(..6) {
            0 => ' ',
            _ => self.chance.lowercase(),
        };
        let place = |column| (terminal.left + column * CHARACTER_PX, terminal.top + row * LINE_PX);
        self.screen.put(&picture::character(letter, 0), place(column))?;
        self.screen.put(&picture::cursor(), place(column + 1))?;
        self.typed += 1;
        Ok(())
    }

    /// Waits until the server has drawn everything.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.screen.finish()
    }
}

/// 0, 1, 2, 1, 0, 1, 2, … for a length of 3.
fn there_and_back(number: usize, length: usize) -> usize {
    let turn = length - 1;
    let at = number % (2 * turn);
    if at > turn { 2 * turn - at } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_runs_forwards_and_backwards() {
        let order: Vec<usize> = (0..9).map(|number| there_and_back(number, 4)).collect();
        assert_eq!(order, [0, 1, 2, 3, 2, 1, 0, 1, 2]);
    }
}
