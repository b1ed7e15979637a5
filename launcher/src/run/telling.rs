//! Shell: what is told besides the news that every page gets: to pages, of the display and of their own devices; to the log, of people.

use super::Parts;
use crate::notices;
use std::time::Duration;
use vdi_protocol::{control::ToPage, phase::Phase};

impl Parts {
    /// Pages keep their last picture while the display is gone, and are told why it stands still.
    pub(super) fn tell_of_the_display(&mut self, after: Phase, before: Phase) {
        if after == Phase::Starting {
            self.starting_since = self.now();
            self.pages.notice(&notices::display_lost(&self.session.message().unwrap_or_default()));
        } else if before == Phase::Starting && after != Phase::Failed && self.starting_since > Duration::ZERO
        {
            self.pages.notice(&notices::display_back());
        }
    }

    /// The log is told what has happened among the pages, and the folder of files who has control.
    pub(super) fn tell_the_log(&mut self) {
        for line in self.pages.journal() {
            tracing::info!("{line}");
        }
        self.files.set_person(self.controller.as_deref().map(|page| self.pages.who(page)));
    }

    /// The log is told whose microphone and camera are on, and whoever speaks and is not heard, or shows something and is not seen.
    pub(super) fn tell_of_the_senses(&mut self) {
        let controller = self.pages.controller().map(|page| (page.to_owned(), self.pages.who(page)));
        let controller = controller.as_ref().map(|(page, who)| (page.as_str(), who.as_str()));
        let (lines, notice) = self.senses.tick(controller);
        for line in lines {
            tracing::info!("{line}");
        }
        if let Some((notice, (page, _))) = notice.zip(controller) {
            self.say(page, &ToPage::Notice(notice));
        }
    }

    /// The pages that see where the others point, and may show it: a client of another dialect knows nothing of that.
    pub(super) fn audience(&self) -> Vec<String> {
        let ours = |page: &String| !self.selkies.as_ref().is_some_and(|selkies| selkies.knows(page));
        self.pages.speaking().filter(|page| ours(page)).cloned().collect()
    }
}
