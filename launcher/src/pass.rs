//! Decision: with what somebody was let in, and what that allows. It stands at the end of a consumer's name, which the server
//! makes and no page can change, so that whoever knows the name knows it too.

use vdi_protocol::{
    control::Role,
    environment::{DOCTOR, METRICS, STATUS},
};

/// Comes before the pass in a consumer's name.
const MARK: char = '@';
/// The pass of those who have the password for watching.
const VIEW: &str = "view";

/// With what somebody was let in; the later one allows more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// With the password for watching.
    View,
    /// With an invitation.
    Invitation {
        /// Its number.
        number: u32,
        /// What they may become.
        role: Role,
    },
    /// With the password, or without any where none is asked for.
    Full,
}

impl Pass {
    /// What stands at the end of the consumers' names.
    pub fn mark(self) -> Option<String> {
        match self {
            Self::View => Some(format!("{MARK}{VIEW}")),
            Self::Invitation { number, role } => Some(format!("{MARK}{}{number}", role.as_str())),
            Self::Full => None,
        }
    }

    /// The pass in a consumer's name. A mark that cannot be read allows least.
    pub fn of(consumer: &str) -> Self {
        let Some((_, mark)) = consumer.rsplit_once(MARK) else { return Self::Full };
        let invitation = [Role::Viewer, Role::Controller].into_iter().find_map(|role| {
            let number = mark.strip_prefix(role.as_str())?.parse().ok()?;
            Some(Self::Invitation { number, role })
        });
        invitation.unwrap_or(Self::View)
    }

    /// Whether they may have control.
    pub fn may_control(self) -> bool {
        matches!(self, Self::Full | Self::Invitation { role: Role::Controller, .. })
    }

    /// Whether they may decide, while in control, on what outlasts their visit: whom else to let in, whether the session is
    /// recorded, when it ends. Whoever was invited could otherwise stay beyond the invitation.
    pub fn may_decide(self) -> bool {
        self == Self::Full
    }

    /// Whether they may ask for this path: the state of machine and session is not for guests, and files are shared with
    /// those only who may have control.
    pub fn may_open(self, path: &str) -> bool {
        let of_operator = [STATUS, METRICS, DOCTOR].contains(&path);
        let of_files = path.starts_with("/files/");
        self == Self::Full || !of_operator && (self.may_control() || !of_files)
    }

    /// The one of two that allows more.
    pub fn better(self, other: Self) -> Self {
        let rank = |pass: Self| (pass.may_control(), pass.may_decide());
        if rank(other) > rank(self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCHES: Pass = Pass::Invitation { number: 7, role: Role::Viewer };
    const CONTROLS: Pass = Pass::Invitation { number: 12, role: Role::Controller };

    #[test]
    fn pass_is_read_from_the_name_that_it_was_written_into() {
        for pass in [Pass::View, WATCHES, CONTROLS, Pass::Full] {
            assert_eq!(Pass::of(&format!("c3{}", pass.mark().unwrap_or_default())), pass);
        }
        for strange in ["c3@", "c3@full", "c3@controller", "c3@controller-1", "c3@controller1@view"] {
            assert_eq!(Pass::of(strange), Pass::View, "{strange}");
        }
    }

    #[test]
    fn only_the_password_and_an_invitation_to_control_may_control_and_only_the_password_invites() {
        let may = |pass: Pass| (pass.may_control(), pass.may_decide());
        assert_eq!([Pass::View, WATCHES, CONTROLS, Pass::Full].map(may), {
            [(false, false), (false, false), (true, false), (true, true)]
        });
    }

    #[test]
    fn guests_open_the_page_and_what_it_needs_and_no_more() {
        for pass in [Pass::View, WATCHES, CONTROLS] {
            assert!(["/", "/ws", "/turn", "/whep", "/assets/x.js"].iter().all(|path| pass.may_open(path)));
            assert!(!["/status", "/metrics", "/doctor"].iter().any(|path| pass.may_open(path)));
        }
        let files = "/files/0123/notes.txt";
        assert!(CONTROLS.may_open(files) && !WATCHES.may_open(files) && !Pass::View.may_open(files));
        assert!(Pass::Full.may_open("/status"));
    }

    #[test]
    fn better_of_two_allows_more() {
        assert_eq!(Pass::View.better(CONTROLS), CONTROLS);
        assert_eq!(CONTROLS.better(Pass::View), CONTROLS);
        assert_eq!(CONTROLS.better(Pass::Full), Pass::Full);
        assert_eq!(Pass::View.better(WATCHES), Pass::View);
    }
}
