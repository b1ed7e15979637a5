// Setup: the page's style sheets, in the order in which they hold.
import "./style.css";
import "./picture/stage.css";
import "./chrome/curtain.css";
import "./chrome/bar.css";
import "./panel/panel.css";
import "./panel/waterfall.css";
import "./settings/settings.css";
import "./people/people.css";
import "./people/pointers.css";
import "./chrome/notices.css";
import "./input/keyrow.css";
import "./sizes.css";
import "./doctor/doctor.css";
import "./share/share.css";
import "./senses/senses.css";
import "./recording/recording.css";
