//! Decision: what is wrong with a command line, in one sentence that names it and says what is accepted.

use super::{DesktopOptions, Options, command, with_hyphens};
use clap::{
    FromArgMatches,
    error::{ContextKind, ContextValue, ErrorKind},
};
use std::ffi::OsString;

const ALL: &str = "`vdi-launcher --help` lists the options";

/// The sentence for what was found.
pub fn words(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
        _ => None,
    };
    match (error.kind(), text(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(option)) if option.starts_with('-') => {
            match text(ContextKind::SuggestedArg) {
                Some(nearest) => format!("{option}: there is no such option, but {nearest}; {ALL}"),
                None => format!("{option}: there is no such option; {ALL}"),
            }
        }
        (ErrorKind::UnknownArgument, Some("doctor")) => {
            "doctor: it comes before the options, as in `vdi-launcher doctor --port=8080`".into()
        }
        (ErrorKind::UnknownArgument, Some(word)) => {
            format!("{word}: this is no option; a command comes after `--`, as in `vdi-launcher -- {word}`")
        }
        (ErrorKind::InvalidValue, Some(option))
            if text(ContextKind::InvalidValue).is_none_or(str::is_empty) =>
        {
            format!("{option}: the value is missing; {ALL}")
        }
        _ => {
            let all = error.to_string();
            let first = all.lines().next().unwrap_or_default();
            format!("{}; {ALL}", first.strip_prefix("error: ").unwrap_or(first))
        }
    }
}

/// What a command line that is wrong says, and the environment, of where and how that is to be told: wherever the mistake is.
pub fn told_where(arguments: impl IntoIterator<Item = OsString>) -> Option<DesktopOptions> {
    const TELLING: [&str; 2] = ["--log-format", "--termination-log"];
    let mut arguments = with_hyphens(arguments).into_iter();
    // Behind a mistake nothing is read: only what is looked for is left.
    let mut left = vec![arguments.next()?];
    let mut own = arguments.take_while(|argument| argument != "--");
    while let Some(argument) = own.next() {
        let text = argument.to_string_lossy();
        let Some(name) = TELLING.into_iter().find(|name| text.starts_with(name)) else { continue };
        let value = (text == name).then(|| own.next()).flatten();
        left.extend(std::iter::once(argument).chain(value));
    }
    let matches = command().ignore_errors(true).try_get_matches_from(left).ok()?;
    Options::from_arg_matches(&matches).ok().map(|options| options.desktop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(words: &[&str]) -> String {
        let words = std::iter::once("vdi-launcher").chain(words.iter().copied());
        self::words(&crate::options::parse(words.map(Into::into)).unwrap_err())
    }

    #[test]
    fn where_a_mistake_is_told_is_read_before_it_and_behind_it_but_not_in_the_command() {
        let told = |words: &[&str]| {
            let words = std::iter::once("vdi-launcher").chain(words.iter().copied());
            let DesktopOptions { log_format, termination_log, .. } =
                told_where(words.map(Into::into)).unwrap();
            (log_format, termination_log)
        };
        let [text, none] = [told(&["--bogus"]).0, told(&["--bogus"]).1];
        let json = ("json".to_owned(), "/end".to_owned());
        for words in [
            &["--log-format=json", "--termination-log", "/end", "--bogus"][..],
            &["--bogus", "--log_format", "json", "--port", "--termination-log=/end"],
            &["xterm", "--log-format=json", "--termination-log=/end", "--", "--log-format=text"],
        ] {
            assert_eq!(told(words), json, "{words:?}");
        }
        assert_eq!(told(&["--bogus", "--", "--log-format=json"]), (text, none));
    }

    #[test]
    fn one_line_names_what_is_wrong_and_what_is_accepted() {
        for (words, told) in [
            (&["--bogus"][..], "--bogus: there is no such option; `vdi-launcher --help` lists the options"),
            (
                &["--debug=perhaps", "--bogus=3"],
                "--bogus: there is no such option; `vdi-launcher --help` lists the options",
            ),
            (
                &["--prot=1"],
                "--prot: there is no such option, but --port; `vdi-launcher --help` lists the options",
            ),
            (&["--port"], "--port <PORT>: the value is missing; `vdi-launcher --help` lists the options"),
            (
                &["xterm", "-e", "top"],
                "xterm: this is no option; a command comes after `--`, as in `vdi-launcher -- xterm`",
            ),
            (
                &["--port=1", "doctor"],
                "doctor: it comes before the options, as in `vdi-launcher doctor --port=8080`",
            ),
        ] {
            assert_eq!(refused(words), told);
        }
    }
}
