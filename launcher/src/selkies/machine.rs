//! Shell: what the client is told of the machine each second: load of the processor, memory, the first GPU.

use super::page::line;
use crate::gpu;
use procfs::{Current, CurrentSI, KernelStats, Meminfo};
use serde_json::json;

/// The machine, and what was seen of it last.
#[derive(Default)]
pub struct Machine {
    /// Busy and all time of the processors.
    seen: Option<(u64, u64)>,
}

impl Machine {
    /// Looks, and says it in the client's lines. What the system does not tell is left out.
    pub async fn look(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(cpu_percent), Ok(memory)) = (self.load(), Meminfo::current()) {
            let available = memory.mem_available.unwrap_or(memory.mem_free);
            let used = memory.mem_total.saturating_sub(available);
            let told = json!({ "cpu_percent": cpu_percent, "mem_total": memory.mem_total, "mem_used": used });
            lines.push(line("system_stats", &told));
        }
        if let Some(device) = gpu::status(gpu::PATIENCE).await.devices.first() {
            let mb = |bytes: u64| bytes / 1_000_000;
            let told = json!({
                "load": device.utilization,
                "memory_total": mb(device.memory_total_bytes),
                "memory_used": mb(device.memory_used_bytes),
            });
            lines.push(line("gpu_stats", &told));
        }
        lines
    }

    /// Per cent of all processors' time since the last look.
    fn load(&mut self) -> Option<f64> {
        let total = KernelStats::current().ok()?.total;
        let idle = total.idle + total.iowait.unwrap_or(0);
        let busy =
            total.user + total.nice + total.system + total.irq.unwrap_or(0) + total.softirq.unwrap_or(0);
        let now = (busy, busy + idle);
        let before = self.seen.replace(now)?;
        Some(percent(before, now))
    }
}

fn percent(before: (u64, u64), now: (u64, u64)) -> f64 {
    let (busy, all) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
    if all == 0 { 0.0 } else { (busy as f64 / all as f64 * 1_000.0).round() / 10.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_that_of_the_time_between_two_looks() {
        assert_eq!(percent((100, 1_000), (150, 1_200)), 25.0);
        assert_eq!(percent((100, 1_000), (100, 1_000)), 0.0);
        assert_eq!(percent((100, 1_000), (90, 1_100)), 0.0, "counters of a machine that slept");
    }

    #[tokio::test]
    async fn this_machine_tells_its_load_and_memory_from_the_second_look_on() {
        let mut machine = Machine::default();
        let first = machine.look().await;
        assert!(first.iter().all(|line| !line.contains("cpu_percent")), "{first:?}");
        let second = machine.look().await;
        let told: serde_json::Value = serde_json::from_str(&second[0]).unwrap();
        assert_eq!(told["type"], "system_stats");
        assert!(told["data"]["mem_total"].as_u64() > told["data"]["mem_used"].as_u64(), "{told}");
    }
}
