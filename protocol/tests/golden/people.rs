//! Examples of who is here, and where they point.

use vdi_protocol::{
    control::Role,
    people::{People, Person, Pointer, ToPointer},
};

/// The one in control, one who may take it, and one who may only watch.
pub fn people() -> People {
    let person = |consumer: &str, name: &str, role, view_only| Person {
        consumer: consumer.into(),
        name: name.into(),
        role,
        view_only,
    };
    People {
        people: vec![
            person("c1", "Anna", Role::Controller, false),
            person("c2", "", Role::Viewer, false),
            person("c3@viewer1", "", Role::Viewer, true),
        ],
        asks: true,
        asking: Some("c2".into()),
    }
}

/// One who watches points at a place.
pub fn pointers() -> ToPointer {
    ToPointer::Pointers { seq: 5, pointers: vec![Pointer { consumer: "c2".into(), x: 640, y: 360 }] }
}
