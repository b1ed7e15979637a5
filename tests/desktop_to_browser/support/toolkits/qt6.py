"""Shell: a window of Qt 6 that is as large as its words."""

from PyQt6.QtWidgets import QApplication, QLabel, QLayout, QVBoxLayout, QWidget

application = QApplication([])
window = QWidget()
window.setWindowTitle("qt6")
layout = QVBoxLayout(window)
layout.setSizeConstraint(QLayout.SizeConstraint.SetFixedSize)
layout.addWidget(QLabel("A window that is as large as its words"))
window.show()
application.exec()
