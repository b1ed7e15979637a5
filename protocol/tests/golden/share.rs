//! Examples of what crosses the border when something is shared: the clipboard, files.

use super::check;
use vdi_protocol::{
    clipboard::{FromPage, Item, Mime, Offer, Refusal, Selection, ToPage},
    files::{Entry, List},
};

fn offer(id: u32, selection: Selection) -> Offer {
    let items = vec![
        Item { mime: Mime::Text, bytes: 5 },
        Item { mime: Mime::Html, bytes: 12 },
        Item { mime: Mime::Png, bytes: 5_000_000 },
    ];
    Offer { id, selection, items, after: None }
}

#[test]
fn clipboard_messages_stand_on_the_wire_as_in_the_golden_files() {
    check(
        "clipboard.fromPage",
        &[
            FromPage::Ready,
            FromPage::Fetch { selection: Selection::Primary },
            FromPage::Offer(offer(3, Selection::Clipboard)),
            FromPage::Offer(Offer { after: Some(7), ..offer(4, Selection::Clipboard) }),
            FromPage::Piece { id: 3, data: "SGVsbG8=".into() },
            FromPage::Received { id: 7, bytes: 16_384 },
        ],
    );
    check(
        "clipboard.toPage",
        &[
            ToPage::Offer(offer(7, Selection::Primary)),
            ToPage::Piece { id: 7, data: "SGVsbG8=".into() },
            ToPage::Received { id: 3, bytes: 16_384 },
            ToPage::Taken { id: 3 },
            ToPage::Refused { id: 4, reason: Refusal::TooLarge },
            ToPage::Refused { id: 5, reason: Refusal::NotAllowed },
            ToPage::Refused { id: 6, reason: Refusal::Malformed },
            ToPage::Refused { id: 7, reason: Refusal::Superseded },
            ToPage::Missed { selection: Selection::Clipboard, reason: Refusal::Failed },
            ToPage::Missed { selection: Selection::Primary, reason: Refusal::Empty },
        ],
    );
}

#[test]
fn lists_of_files_stand_on_the_wire_as_in_the_golden_file() {
    let entries = vec![
        Entry { name: "Pictures".into(), folder: true, bytes: 0, modified_seconds: 1_700_000_000 },
        Entry { name: "report.pdf".into(), folder: false, bytes: 12_345, modified_seconds: 1_700_000_001 },
    ];
    check("files", &[List { entries }]);
}
