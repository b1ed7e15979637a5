//! Setup: scratch
#[path = "../tests/link/mod.rs"]
mod link;
use link::{
    scenarios,
    session::{self, Candidate},
};
use std::time::Duration;
use vdi_congestion::*;
fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let verbose = std::env::args().nth(2).is_some();
    println!(
        "{:36} {:>6} {:>6} {:>5} {:>5} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}",
        "", "used%", "Mbps", "q50", "q95", "late50", "late95", "frz300", "max", "lost%", "util"
    );
    for sc in scenarios::all(1) {
        if !sc.name.contains(&filter) {
            continue;
        }
        for which in ["ours", "gcc"] {
            let mut c: Box<dyn Candidate> = if which == "ours" {
                Box::new(link::ours::Ours::new(&sc.setup))
            } else {
                Box::new(link::gcc::Gcc::new(sc.setup.bounds, sc.setup.start))
            };
            if verbose && which == "gcc" && std::env::args().nth(4).is_none() {
                continue;
            }
            let f = session::play(&sc.setup, &mut *c);
            let end = sc.setup.length.as_secs_f64();
            let from = 5.0;
            let fr = f.freezes(Duration::from_millis(300), from, end);
            println!(
                "{:36} {:6.1} {:6.2} {:5.0} {:5.0} {:6.0} {:6.0} {:6} {:6.0} {:6.1} {:6.2}",
                if which == "ours" { sc.name } else { "  gcc" },
                f.used(from, end) * 100.0,
                f.delivered(from, end).bps() as f64 / 1e6,
                f.waited(50.0, from, end).as_secs_f64() * 1e3,
                f.waited(95.0, from, end).as_secs_f64() * 1e3,
                f.late(50.0, from, end).as_secs_f64() * 1e3,
                f.late(95.0, from, end).as_secs_f64() * 1e3,
                fr.len(),
                fr.iter().max().copied().unwrap_or_default().as_secs_f64() * 1e3,
                f.lost(from, end) * 100.0,
                f.utility(from, end)
            );
            if verbose {
                for (i, (end, s)) in f.samples.iter().enumerate() {
                    let step: usize = std::env::args().nth(3).and_then(|x| x.parse().ok()).unwrap_or(5);
                    if i % step != 0 {
                        continue;
                    }
                    let o = s.output.unwrap();
                    let w = s.waited.iter().max().copied().unwrap_or_default();
                    if verbose {
                        println!(
                            "  {:6.1} est {:6.2} cap {:6.2} sent {:6.2} got {:6.2} q {:4.0} stand {:4.0} pacer {:4.0} loss {:.2} probes {}",
                            end.as_secs_f64(),
                            o.estimate.bps() as f64 / 1e6,
                            sc.setup.there.trace.mean(*end - Duration::from_millis(100), *end).bps() as f64
                                / 1e6,
                            s.sent as f64 * 8e-5,
                            s.delivered as f64 * 8e-5,
                            w.as_secs_f64() * 1e3,
                            o.queue_delay.unwrap_or_default().as_secs_f64() * 1e3,
                            s.pacer.as_secs_f64() * 1e3,
                            o.loss,
                            s.probes
                        );
                    }
                }
            }
        }
    }
}
