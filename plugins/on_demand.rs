//! Wire: the question to a source whether it captures only when its last frame has been taken. One that does may be kept
//! waiting: what it captures later is newer, and nothing is captured in vain. Refuses nothing.

/// Name of the structure in the custom query.
const NAME: &str = "application/x-vdi-on-demand";

/// The question, to be sent upstream.
pub fn question() -> gst::query::Custom<gst::Query> {
    gst::query::Custom::new(gst::Structure::new_empty(NAME))
}

/// Whether a query is this question.
pub fn is_question(query: &gst::QueryRef) -> bool {
    query.structure().is_some_and(|structure| structure.name() == NAME)
}
