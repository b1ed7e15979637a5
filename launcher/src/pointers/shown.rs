//! Decision: where the people who watch point, and which page is told of whom, and how often. The newest place of each is all that
//! is kept, so that neither a page that floods nor one that is slow makes anything wait. It refuses to know who may watch: that
//! is the pages'.

use std::collections::BTreeMap;
use vdi_protocol::people::{Pointer, ToPointer};

/// How often each page is told the same: what it is told on may lose a message, and the last would be missed for good.
const TIMES: u8 = 3;

/// Everybody's pointers, and what everybody knows of them.
#[derive(Debug, Default)]
pub struct Shown {
    /// Pages that see the others' pointers, and show theirs.
    audience: Vec<String>,
    /// Its pointer is the desktop's own.
    controller: Option<String>,
    pointers: BTreeMap<String, Place>,
    told: BTreeMap<String, Told>,
    seq: u32,
}

#[derive(Debug)]
struct Place {
    /// The page's count.
    seq: u32,
    at: Option<(u16, u16)>,
}

#[derive(Debug, Default)]
struct Told {
    pointers: Vec<Pointer>,
    times: u8,
}

impl Shown {
    /// These pages are here from now on, and this one is in control.
    pub fn set_audience(&mut self, audience: Vec<String>, controller: Option<&str>) {
        self.pointers.retain(|page, _| audience.contains(page));
        self.told.retain(|page, _| audience.contains(page));
        self.audience = audience;
        if self.controller.as_deref() != controller {
            self.controller = controller.map(str::to_owned);
            // It points by what it does, and begins anew when it only watches again.
            if let Some(place) = controller.and_then(|page| self.pointers.get_mut(page)) {
                place.at = None;
            }
        }
    }

    /// A page's user points at a place, or (`None`) at none any more. What came late on the way is left out.
    pub fn point(&mut self, page: &str, seq: u32, at: Option<(u16, u16)>) {
        if !self.audience.iter().any(|known| known == page) || self.controller.as_deref() == Some(page) {
            return;
        }
        let place = self.pointers.entry(page.to_owned()).or_insert(Place { seq: 0, at: None });
        if seq > place.seq {
            *place = Place { seq, at };
        }
    }

    /// What is to be told to whom now; empty when everybody knows everything.
    pub fn news(&mut self) -> Vec<(String, ToPointer)> {
        let mut news = Vec::new();
        self.seq = self.seq.wrapping_add(1);
        for page in &self.audience {
            let others = self.pointers.iter().filter(|(of, _)| *of != page);
            let pointers: Vec<_> = others
                .filter_map(|(of, place)| place.at.map(|(x, y)| Pointer { consumer: of.clone(), x, y }))
                .collect();
            let nothing = || Told { pointers: Vec::new(), times: TIMES };
            let told = self.told.entry(page.clone()).or_insert_with(nothing);
            if told.pointers != pointers {
                *told = Told { pointers, times: 0 };
            }
            if told.times < TIMES {
                told.times += 1;
                let pointers = told.pointers.clone();
                news.push((page.clone(), ToPointer::Pointers { seq: self.seq, pointers }));
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(pages: &[&str]) -> Vec<String> {
        pages.iter().map(|page| (*page).to_owned()).collect()
    }

    fn three() -> Shown {
        let mut shown = Shown::default();
        shown.set_audience(here(&["a", "b", "c"]), Some("a"));
        shown
    }

    /// Who is told, and of which pointers.
    fn told(shown: &mut Shown) -> Vec<(String, Vec<Pointer>)> {
        let news = shown.news().into_iter();
        news.map(|(page, ToPointer::Pointers { pointers, .. })| (page, pointers)).collect()
    }

    fn of_b(x: u16, y: u16) -> Vec<Pointer> {
        vec![Pointer { consumer: "b".to_owned(), x, y }]
    }

    #[test]
    fn everybody_but_who_points_is_told_a_few_times() {
        let mut shown = three();
        assert!(told(&mut shown).is_empty());
        shown.point("b", 1, Some((10, 20)));
        let expected = ["a", "c"].map(|page| (page.to_owned(), of_b(10, 20)));
        for _ in 0..TIMES {
            assert_eq!(told(&mut shown), expected);
        }
        assert!(told(&mut shown).is_empty());
    }

    #[test]
    fn only_the_newest_place_is_told_and_none_that_came_late() {
        let mut shown = three();
        for seq in [1, 3, 2] {
            shown.point("b", seq, Some((u16::try_from(seq).unwrap(), 0)));
        }
        assert_eq!(told(&mut shown)[0].1, of_b(3, 0));
    }

    #[test]
    fn pointer_goes_with_its_wish_with_its_page_and_with_control() {
        for go in [
            (|shown: &mut Shown| shown.point("b", 2, None)) as fn(&mut Shown),
            |shown| shown.set_audience(here(&["a", "c"]), Some("a")),
            |shown| shown.set_audience(here(&["a", "b", "c"]), Some("b")),
        ] {
            let mut shown = three();
            shown.point("b", 1, Some((10, 20)));
            shown.news();
            go(&mut shown);
            let now = told(&mut shown);
            assert!(now.len() == 2 && now.iter().all(|(_, pointers)| pointers.is_empty()), "{now:?}");
        }
    }

    #[test]
    fn who_controls_or_is_not_here_shows_nothing() {
        let mut shown = three();
        shown.point("a", 1, Some((1, 1)));
        shown.point("stranger", 1, Some((1, 1)));
        assert!(told(&mut shown).is_empty());
        assert!(shown.pointers.is_empty());
    }

    #[test]
    fn who_comes_later_is_told_what_there_is() {
        let mut shown = three();
        shown.point("b", 1, Some((10, 20)));
        (0..TIMES).for_each(|_| drop(shown.news()));
        shown.set_audience(here(&["a", "b", "c", "d"]), Some("a"));
        assert_eq!(told(&mut shown), [("d".to_owned(), of_b(10, 20))]);
    }
}
