//! Decision: the clipboard of one client: its whole texts in our offers and pieces, and our offers and pieces in whole texts.
//! The client knows text only, each in one line.

use super::page::line;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use vdi_protocol::clipboard::{FromPage, Item, Mime, Offer, PIECE_BYTES, Refusal, Selection, ToPage};

/// Longest text for the client: its line has to fit into one message, which in GStreamer 1.22 has 64 KiB at most, as RFC 8841,
/// 6.1 has it where nothing was agreed upon.
const MAX_TEXT_BYTES: u64 = 48_000;

/// What is on its way.
#[derive(Debug, Default)]
pub struct Clipboard {
    last_id: u32,
    coming: Option<Coming>,
}

/// An offer of the desktop.
#[derive(Debug)]
struct Coming {
    id: u32,
    /// Where its text lies in its bytes.
    text: Option<(usize, usize)>,
    total: u64,
    /// What has come, as far as it may be text.
    bytes: Vec<u8>,
    received: u64,
}

/// What came of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// For the server.
    pub answers: Vec<FromPage>,
    /// For the client.
    pub lines: Vec<String>,
}

impl Clipboard {
    /// The client has copied this.
    pub fn copied(&mut self, text: &str) -> Vec<FromPage> {
        self.last_id = self.last_id.wrapping_add(1);
        let id = self.last_id;
        let items = vec![Item { mime: Mime::Text, bytes: text.len() as u64 }];
        let offer = FromPage::Offer(Offer { id, selection: Selection::Clipboard, items, after: None });
        // A line of the client is never larger than what may be on its way.
        let pieces = text.as_bytes().chunks(PIECE_BYTES);
        let pieces = pieces.map(|piece| FromPage::Piece { id, data: BASE64_STANDARD.encode(piece) });
        std::iter::once(offer).chain(pieces).collect()
    }

    /// The server says this.
    pub fn hear(&mut self, message: &ToPage) -> Heard {
        match message {
            ToPage::Offer(offer) => {
                let total = offer.items.iter().map(|item| item.bytes).sum();
                let place = offer.items.iter().position(|item| item.mime == Mime::Text);
                let text = place.and_then(|place| {
                    let before = offer.items[..place].iter().map(|item| item.bytes).sum::<u64>();
                    let end = before + offer.items[place].bytes;
                    Some((usize::try_from(before).ok()?, usize::try_from(end).ok()?))
                });
                let clipboard = offer.selection == Selection::Clipboard;
                let text = text.filter(|_| clipboard);
                self.coming = Some(Coming { id: offer.id, text, total, bytes: Vec::new(), received: 0 });
                let long = text.is_some_and(|(start, end)| (end - start) as u64 > MAX_TEXT_BYTES);
                if long {
                    self.coming.iter_mut().for_each(|coming| coming.text = None);
                    let words = "What was copied on the desktop is too long for this page's clipboard.";
                    return Heard { lines: vec![status(words)], ..Heard::default() };
                }
                Heard::default()
            }
            ToPage::Piece { id, data } => self.piece(*id, data),
            ToPage::Refused { reason, .. } => {
                let why = match reason {
                    Refusal::TooLarge => "it is too long",
                    Refusal::NotAllowed => "this page may not",
                    Refusal::Empty | Refusal::Malformed | Refusal::Failed | Refusal::Superseded => {
                        "the desktop did not take it"
                    }
                };
                let words = format!("What was copied here cannot be pasted on the desktop: {why}.");
                Heard { lines: vec![status(&words)], ..Heard::default() }
            }
            ToPage::Received { .. } | ToPage::Taken { .. } | ToPage::Missed { .. } => Heard::default(),
        }
    }

    fn piece(&mut self, id: u32, data: &str) -> Heard {
        let Some(coming) = self.coming.as_mut().filter(|coming| coming.id == id) else {
            return Heard::default();
        };
        let Ok(bytes) = BASE64_STANDARD.decode(data) else { return Heard::default() };
        let start = usize::try_from(coming.received).unwrap_or(usize::MAX);
        coming.received += bytes.len() as u64;
        if let Some((from, to)) = coming.text {
            // The part of this piece that is of the text.
            let first = from.saturating_sub(start).min(bytes.len());
            let last = to.saturating_sub(start).min(bytes.len());
            coming.bytes.extend_from_slice(&bytes[first..last.max(first)]);
        }
        let mut heard =
            Heard { answers: vec![FromPage::Received { id, bytes: coming.received }], lines: Vec::new() };
        if coming.received >= coming.total {
            if coming.text.is_some() {
                heard
                    .lines
                    .push(line("clipboard", &json!({ "content": BASE64_STANDARD.encode(&coming.bytes) })));
            }
            self.coming = None;
        }
        heard
    }
}

fn status(words: &str) -> String {
    line("pipeline", &json!({ "status": words }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(id: u32, items: &[(Mime, u64)]) -> ToPage {
        let items = items.iter().map(|(mime, bytes)| Item { mime: *mime, bytes: *bytes }).collect();
        ToPage::Offer(Offer { id, selection: Selection::Clipboard, items, after: None })
    }

    fn piece(id: u32, data: &str) -> ToPage {
        ToPage::Piece { id, data: BASE64_STANDARD.encode(data) }
    }

    #[test]
    fn what_the_client_copies_is_an_offer_and_its_pieces() {
        let mut clipboard = Clipboard::default();
        let text = "ä".repeat(PIECE_BYTES);
        let said = clipboard.copied(&text);
        assert_eq!(said.len(), 3);
        let FromPage::Offer(Offer { id: 1, items, .. }) = &said[0] else { panic!("{said:?}") };
        assert_eq!(items[..], [Item { mime: Mime::Text, bytes: 2 * PIECE_BYTES as u64 }]);
        let next = clipboard.copied("");
        assert!(matches!(&next[..], [FromPage::Offer(Offer { id: 2, .. })]), "nothing has no pieces");
    }

    #[test]
    fn text_among_other_forms_is_cut_out_of_the_pieces_and_each_is_acknowledged() {
        let mut clipboard = Clipboard::default();
        assert_eq!(
            clipboard.hear(&offer(4, &[(Mime::Html, 4), (Mime::Text, 5), (Mime::Png, 3)])),
            Heard::default()
        );
        let first = clipboard.hear(&piece(4, "<b>xhel"));
        assert_eq!(first, Heard { answers: vec![FromPage::Received { id: 4, bytes: 7 }], lines: vec![] });
        let last = clipboard.hear(&piece(4, "loPNG"));
        assert_eq!(last.answers, [FromPage::Received { id: 4, bytes: 12 }]);
        assert_eq!(last.lines, [line("clipboard", &json!({ "content": BASE64_STANDARD.encode("hello") }))]);
        assert_eq!(clipboard.hear(&piece(4, "more")), Heard::default(), "that offer is over");
    }

    #[test]
    fn pictures_are_no_text_and_what_is_too_long_is_told_in_words() {
        let mut clipboard = Clipboard::default();
        clipboard.hear(&offer(1, &[(Mime::Png, 3)]));
        assert_eq!(clipboard.hear(&piece(1, "PNG")).lines, [""; 0]);
        let long = clipboard.hear(&offer(2, &[(Mime::Text, MAX_TEXT_BYTES + 1)]));
        assert!(long.lines[0].contains("too long"), "{long:?}");
        assert_eq!(clipboard.hear(&piece(2, "aaaa")).answers.len(), 1, "it still has to come to its end");
    }
}
