//! Decision: how what was copied is cut into pieces on its way to a page, with no more under way than the window has room
//! for, and how what comes from a page is put together, within the limit.

use super::content::{self, Content};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::sync::Arc;
use vdi_protocol::clipboard::{
    Item, MAX_ITEMS, Offer, PIECE_BYTES, Refusal, Selection, ToPage, WINDOW_BYTES,
};

/// Something on its way to a page.
#[derive(Debug)]
pub struct Outgoing {
    id: u32,
    content: Arc<Content>,
    sent: u64,
    received: u64,
}

impl Outgoing {
    /// Begins: the first messages to send.
    pub fn begin(id: u32, selection: Selection, content: Arc<Content>) -> (Self, Vec<ToPage>) {
        let mut messages = vec![ToPage::Offer(Offer { id, selection, items: content.items(), after: None })];
        let mut outgoing = Self { id, content, sent: 0, received: 0 };
        messages.extend(outgoing.more());
        (outgoing, messages)
    }

    /// The page has received so much of the offer `id`; what may follow.
    pub fn received(&mut self, id: u32, bytes: u64) -> Vec<ToPage> {
        if id != self.id || bytes > self.sent {
            return Vec::new();
        }
        self.received = self.received.max(bytes);
        self.more()
    }

    /// Whether everything has arrived.
    pub fn is_done(&self) -> bool {
        self.received == self.content.bytes()
    }

    fn more(&mut self) -> Vec<ToPage> {
        let mut messages = Vec::new();
        while self.sent < self.content.bytes() && self.sent - self.received < WINDOW_BYTES {
            let piece = self.content.piece(self.sent, PIECE_BYTES);
            self.sent += piece.len() as u64;
            messages.push(ToPage::Piece { id: self.id, data: STANDARD.encode(piece) });
        }
        messages
    }
}

/// Something on its way from a page.
#[derive(Debug)]
pub struct Incoming {
    id: u32,
    /// Where it is to be pasted from.
    pub selection: Selection,
    /// See [`Offer::after`].
    pub after: Option<u32>,
    items: Vec<Item>,
    bytes: Vec<u8>,
    total: u64,
}

/// What a piece has brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes from the beginning.
    Received(u64),
    /// Everything.
    Complete(Content),
}

impl Incoming {
    /// Looks at an offer.
    pub fn begin(offer: &Offer, max_bytes: u64) -> Result<Self, Refusal> {
        let mut seen = Vec::new();
        let mut total = 0_u64;
        for item in &offer.items {
            if seen.contains(&item.mime) || seen.len() == MAX_ITEMS {
                return Err(Refusal::Malformed);
            }
            seen.push(item.mime);
            total = total.checked_add(item.bytes).ok_or(Refusal::TooLarge)?;
        }
        match total {
            0 => Err(Refusal::Empty),
            total if total > max_bytes => Err(Refusal::TooLarge),
            total => Ok(Self {
                id: offer.id,
                selection: offer.selection,
                after: offer.after,
                items: offer.items.clone(),
                bytes: Vec::new(),
                total,
            }),
        }
    }

    /// The offer's number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Takes the next piece.
    pub fn piece(&mut self, data: &str) -> Result<Progress, Refusal> {
        let piece = STANDARD.decode(data).map_err(|_| Refusal::Malformed)?;
        let length = (self.bytes.len() + piece.len()) as u64;
        if piece.is_empty() || piece.len() > PIECE_BYTES || length > self.total {
            return Err(Refusal::Malformed);
        }
        self.bytes.extend(piece);
        if length < self.total {
            return Ok(Progress::Received(length));
        }
        let mut rest = std::mem::take(&mut self.bytes);
        let mut content = Content::default();
        for item in &self.items {
            let length = usize::try_from(item.bytes).map_err(|_| Refusal::TooLarge)?;
            let following = rest.split_off(length);
            if length > 0 {
                let form = content::check(item.mime, rest).ok_or(Refusal::Malformed)?;
                content.0.insert(item.mime, form);
            }
            rest = following;
        }
        Ok(Progress::Complete(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vdi_protocol::clipboard::Mime;

    const MAX: u64 = 1_000_000;

    fn offer(items: &[(Mime, u64)]) -> Offer {
        let items = items.iter().map(|(mime, bytes)| Item { mime: *mime, bytes: *bytes }).collect();
        Offer { id: 5, selection: Selection::Clipboard, items, after: None }
    }

    fn text(length: usize) -> Arc<Content> {
        Arc::new(Content([(Mime::Text, vec![b'x'; length])].into()))
    }

    #[test]
    fn no_more_is_under_way_than_the_window_has_room_for() {
        let (mut outgoing, messages) = Outgoing::begin(1, Selection::Clipboard, text(1_000_000));
        let window = usize::try_from(WINDOW_BYTES).unwrap();
        assert_eq!(messages.len(), 1 + window / PIECE_BYTES);
        assert_eq!(outgoing.received(1, PIECE_BYTES as u64).len(), 1, "one has come, one follows");
        assert!(outgoing.received(1, PIECE_BYTES as u64).is_empty(), "told twice");
        assert!(outgoing.received(1, 999_999).is_empty(), "it cannot have come: it was not sent");
        assert!(outgoing.received(2, PIECE_BYTES as u64 * 2).is_empty(), "another offer");
        assert!(!outgoing.is_done());
    }

    #[test]
    fn offers_are_refused_for_what_is_wrong_with_them() {
        let begin = |items: &[(Mime, u64)]| Incoming::begin(&offer(items), MAX).map(|_| ());
        assert_eq!(begin(&[(Mime::Text, MAX)]), Ok(()));
        assert_eq!(begin(&[(Mime::Text, MAX), (Mime::Html, 1)]), Err(Refusal::TooLarge));
        assert_eq!(begin(&[(Mime::Text, u64::MAX), (Mime::Html, 1)]), Err(Refusal::TooLarge));
        assert_eq!(begin(&[]), Err(Refusal::Empty));
        assert_eq!(begin(&[(Mime::Text, 1), (Mime::Text, 1)]), Err(Refusal::Malformed));
    }

    #[test]
    fn pieces_that_are_more_than_was_offered_are_refused() {
        let mut incoming = Incoming::begin(&offer(&[(Mime::Text, 3)]), MAX).unwrap();
        assert_eq!(incoming.piece("eHg="), Ok(Progress::Received(2)));
        assert_eq!(incoming.piece("eHg="), Err(Refusal::Malformed));
        assert_eq!(incoming.piece(""), Err(Refusal::Malformed), "it would go on for ever");
        assert_eq!(incoming.piece("§"), Err(Refusal::Malformed));
    }

    #[test]
    fn text_that_is_none_is_refused_at_its_end() {
        let mut incoming = Incoming::begin(&offer(&[(Mime::Text, 1)]), MAX).unwrap();
        assert_eq!(incoming.piece(&STANDARD.encode([0xff])), Err(Refusal::Malformed));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_goes_out_in_pieces_comes_in_as_it_was(text in 0_usize..400_000, html in 1_usize..400_000) {
            let mut content = Content([(Mime::Html, vec![b'h'; html])].into());
            if text > 0 {
                content.0.insert(Mime::Text, vec![b't'; text]);
            }
            let sent = Arc::new(content);
            let (mut outgoing, messages) = Outgoing::begin(1, Selection::Primary, sent.clone());
            let mut messages = std::collections::VecDeque::from(messages);
            let Some(ToPage::Offer(offer)) = messages.pop_front() else { panic!("no offer") };
            let mut incoming = Incoming::begin(&offer, MAX).unwrap();
            let mut arrived = None;
            while let Some(ToPage::Piece { data, .. }) = messages.pop_front() {
                let bytes = match incoming.piece(&data).unwrap() {
                    Progress::Received(bytes) => bytes,
                    Progress::Complete(content) => { arrived = Some(content); sent.bytes() }
                };
                messages.extend(outgoing.received(1, bytes));
            }
            prop_assert!(outgoing.is_done());
            prop_assert_eq!(arrived.as_ref(), Some(&*sent));
        }

        #[test]
        fn no_piece_makes_it_panic(data in ".{0,100}", first in 0_u64..60, second in 0_u64..60) {
            if let Ok(mut incoming) = Incoming::begin(&offer(&[(Mime::Text, first), (Mime::Png, second)]), MAX) {
                let _ = incoming.piece(&data);
                let _ = incoming.piece(&data);
            }
        }
    }
}
