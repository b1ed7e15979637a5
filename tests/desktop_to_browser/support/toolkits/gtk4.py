"""Shell: a window of GTK 4 that is as large as its words."""

import gi

gi.require_version("Gtk", "4.0")
from gi.repository import GLib, Gtk

loop = GLib.MainLoop()
Gtk.init()
window = Gtk.Window(title="gtk4", resizable=False, decorated=False)
window.set_child(Gtk.Label(label="A window that is as large as its words"))
window.present()
loop.run()
