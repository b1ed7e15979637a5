//! The wire: every bound on what a peer may send, each with its reason.

/// Largest signalling message in bytes. Chromium's largest real answer is below 16 KiB.
pub const MAX_SIGNALLING_BYTES: usize = 64 * 1024;

/// Largest data-channel message in bytes: SCTP implementations interoperate up to 64 KiB (RFC 8831, 6.6).
pub const MAX_DATA_BYTES: usize = 64 * 1024;

/// Most remote ICE candidates accepted from one consumer; real browsers send fewer than 20.
pub const MAX_CANDIDATES: usize = 100;

/// Bad messages after which a consumer is closed: a defect shows itself once, not for ever.
pub const MAX_BAD_MESSAGES: u32 = 16;

/// Keys that one consumer may hold at once; keyboards report at most about 20.
pub const MAX_HELD_KEYS: usize = 64;

/// Characters of one piece of typed text: a sentence is far shorter, and typing as many takes the X server a tenth of a second.
pub const MAX_TEXT_CHARS: usize = 1024;

/// Frames in one report of a page: four reports a second have room for 128 frames, twice what is captured.
pub const MAX_FRAME_REPORTS: usize = 32;

/// Columns and rows of a pointer's shape. Browsers show no CSS cursor that is larger.
pub const MAX_CURSOR_PX: u32 = 128;

/// Monitors that are told of: more than any graphics card has outputs.
pub const MAX_MONITORS: usize = 16;

/// Largest name that a browser gives itself: a UUID, or 32 hexadecimal digits, with room.
pub const MAX_CLIENT_BYTES: usize = 64;

/// Characters of what somebody wants to be called: first and last name, with room.
pub const MAX_NAME_CHARS: usize = 40;

/// Invitations that hold at once: more than that are a list that nobody oversees.
pub const MAX_INVITATIONS: usize = 16;

/// For how long an invitation holds at most: who is to come for longer gets a password.
pub const MAX_INVITATION_SECONDS: u32 = 24 * 3600;

/// Gamepads of one page: as many as consoles and Chromium have.
pub const MAX_GAMEPADS: usize = 4;

/// Axes of a gamepad: the two sticks of the standard mapping.
pub const MAX_GAMEPAD_AXES: usize = 4;

/// Buttons of a gamepad in the standard mapping, triggers and the four of the D-pad among them.
pub const MAX_GAMEPAD_BUTTONS: usize = 17;

/// Longest that a gamepad is told to shake at a time: what browsers take. What lasts longer is told anew, so that a page that hears
/// nothing any more is soon still.
pub const MAX_RUMBLE_MS: u32 = 5_000;

/// Characters of a gamepad's name, with the vendor's and the product's numbers that browsers add.
pub const MAX_GAMEPAD_NAME_CHARS: usize = 128;
