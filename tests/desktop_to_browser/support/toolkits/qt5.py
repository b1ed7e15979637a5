"""Shell: a window of Qt 5 that is as large as its words."""

from PyQt5.QtWidgets import QApplication, QLabel, QLayout, QVBoxLayout, QWidget

application = QApplication([])
window = QWidget()
window.setWindowTitle("qt5")
layout = QVBoxLayout(window)
layout.setSizeConstraint(QLayout.SetFixedSize)
layout.addWidget(QLabel("A window that is as large as its words"))
window.show()
application.exec()
