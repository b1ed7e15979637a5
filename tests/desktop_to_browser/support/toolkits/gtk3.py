"""Shell: a window of GTK 3 that is as large as its words."""

import gi

gi.require_version("Gtk", "3.0")
from gi.repository import Gtk

window = Gtk.Window(title="gtk3", resizable=False)
window.add(Gtk.Label(label="A window that is as large as its words"))
window.show_all()
Gtk.main()
