//! Decision: how like two pictures are, by their luma.

/// Peak signal-to-noise ratio in dB; at most 99.
pub fn psnr_db(one: &[u8], other: &[u8]) -> f64 {
    let squares: u64 = one.iter().zip(other).map(|(one, other)| u64::from(one.abs_diff(*other)).pow(2)).sum();
    if squares == 0 {
        return 99.;
    }
    (10. * (255. * 255. * one.len() as f64 / squares as f64).log10()).min(99.)
}

/// Structural similarity (Wang et al. 2004), the mean over windows of 8 by 8 pixels that overlap by half.
pub fn ssim(one: &[u8], other: &[u8], width: usize, height: usize) -> f64 {
    let (c1, c2) = ((0.01f64 * 255.).powi(2), (0.03f64 * 255.).powi(2));
    let (mut total, mut windows) = (0., 0.);
    for top in (0..=height - 8).step_by(4) {
        for left in (0..=width - 8).step_by(4) {
            let (mut sum_a, mut sum_b, mut sum_aa, mut sum_bb, mut sum_ab) = (0u32, 0u32, 0u32, 0u32, 0u32);
            for y in top..top + 8 {
                let line = y * width + left..y * width + left + 8;
                for (a, b) in one[line.clone()].iter().zip(&other[line]) {
                    let (a, b) = (u32::from(*a), u32::from(*b));
                    sum_a += a;
                    sum_b += b;
                    sum_aa += a * a;
                    sum_bb += b * b;
                    sum_ab += a * b;
                }
            }
            let (mean_a, mean_b) = (f64::from(sum_a) / 64., f64::from(sum_b) / 64.);
            let (var_a, var_b) =
                (f64::from(sum_aa) / 64. - mean_a * mean_a, f64::from(sum_bb) / 64. - mean_b * mean_b);
            let covariance = f64::from(sum_ab) / 64. - mean_a * mean_b;
            total += (2. * mean_a * mean_b + c1) * (2. * covariance + c2)
                / ((mean_a * mean_a + mean_b * mean_b + c1) * (var_a + var_b + c2));
            windows += 1.;
        }
    }
    total / windows
}
