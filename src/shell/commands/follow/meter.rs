//! The rate at which an operation makes progress.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The time over which the current rate is the average.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// The time that progress must have been watched for to tell its rate.
const MIN_RATE_TIME: Duration = Duration::from_millis(400);

/// The time that one bar of a sparkline stands for.
const BAR_TIME: Duration = Duration::from_millis(500);

/// The maximum number of bars that are kept.
const MAX_BARS: usize = 60;

/// The bars of a sparkline, from the lowest to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The progress of an operation in time.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The parts that were done at times within the window, and once before it.
    samples: VecDeque<(Instant, u64)>,
    /// The beginning of the next bar.
    bar_start: Option<(Instant, u64)>,
    /// The rates of the latest bars.
    bars: VecDeque<f64>,
}

impl Meter {
    /// Adds the part that is done at `now`.
    pub(super) fn add(&mut self, now: Instant, done: u64) {
        self.samples.push_back((now, done));
        while self.samples.get(1).is_some_and(|(time, _)| now.duration_since(*time) >= RATE_WINDOW) {
            self.samples.pop_front();
        }
        let (start, done_before) = *self.bar_start.get_or_insert((now, done));
        let time = now.duration_since(start);
        if time >= BAR_TIME {
            self.bars.push_back(done.saturating_sub(done_before) as f64 / time.as_secs_f64());
            self.bar_start = Some((now, done));
        }
        if self.bars.len() > MAX_BARS {
            self.bars.pop_front();
        }
    }

    /// Returns the current rate, per second.
    pub(super) fn rate(&self) -> Option<f64> {
        let ((start, before), (end, done)) = (self.samples.front()?, self.samples.back()?);
        let time = end.duration_since(*start);
        (time >= MIN_RATE_TIME).then(|| done.saturating_sub(*before) as f64 / time.as_secs_f64())
    }

    /// Returns the time until the rest of `total` is done at the current rate.
    pub(super) fn time_left(&self, total: u64) -> Option<Duration> {
        let rate = self.rate().filter(|rate| *rate > 0.0)?;
        let left = total.checked_sub(self.samples.back()?.1)?;
        Duration::try_from_secs_f64(left as f64 / rate).ok()
    }

    /// Returns the latest rates as at most `columns` bars, the highest of them in full height.
    pub(super) fn sparkline(&self, columns: usize) -> String {
        let shown = self.bars.range(self.bars.len().saturating_sub(columns)..);
        let highest = shown.clone().copied().fold(0.0, f64::max);
        let bar = |rate: &f64| {
            let height = if highest > 0.0 { rate / highest * (BARS.len() - 1) as f64 } else { 0.0 };
            BARS[(height.round() as usize).min(BARS.len() - 1)]
        };
        shown.map(bar).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_rate_and_time_left() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut meter = Meter::default();
        meter.add(at(0), 0);
        assert_eq!((meter.rate(), meter.time_left(10)), (None, None));
        meter.add(at(1000), 100);
        assert_eq!(meter.rate(), Some(100.0));
        assert_eq!(meter.time_left(350), Some(Duration::from_millis(2500)));
        assert_eq!(meter.time_left(50), None, "the total has shrunk");
        for millis in (2000..20_000).step_by(1000) {
            meter.add(at(millis), 100);
        }
        assert_eq!((meter.rate(), meter.time_left(350)), (Some(0.0), None), "it stands still");
        meter.add(at(20_000), 0);
        assert_eq!(meter.rate(), Some(0.0), "going back is not progress");
        assert!(meter.samples.len() <= 7);
    }

    #[test]
    fn draws_the_latest_rates() {
        let start = Instant::now();
        let mut meter = Meter::default();
        assert_eq!(meter.sparkline(8), "");
        let mut done = 0;
        for (number, rate) in [0, 1, 2, 7, 0, 14].into_iter().enumerate() {
            done += rate;
            meter.add(start + BAR_TIME * u32::try_from(number).unwrap(), done);
        }
        assert_eq!(meter.sparkline(8), "▂▂▅▁█");
        assert_eq!(meter.sparkline(2), "▁█");
        for number in 6..1000 {
            meter.add(start + BAR_TIME * number, done);
        }
        assert_eq!(meter.bars.len(), MAX_BARS);
        assert_eq!(meter.sparkline(3), "▁▁▁");
    }
}
