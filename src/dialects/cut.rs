//! Items that are cut out of an array of a body, each with the comma that would be too many.

use std::ops::Range;

use serde_json::value::RawValue;

use super::json::range_in;

/// The ranges of an array's items that are to be cut, in order, each run of them with the commas that would be too many.
pub(super) fn cuts_of(json: &str, items: &[&RawValue], is_cut: &[bool]) -> Vec<Range<usize>> {
    let range = |place: usize| items.get(place).map(|item| range_in(json, item));
    let mut cuts = Vec::new();
    let mut place = 0;
    while place < items.len() {
        let run = is_cut.iter().skip(place).take_while(|cut| **cut).count();
        let Some((first, last)) = range(place).zip(range((place + run).saturating_sub(1))) else {
            break;
        };
        if run > 0 {
            let before = place.checked_sub(1).and_then(range);
            cuts.push(match (range(place + run), before) {
                (Some(next), _) => first.start..next.start,
                (None, Some(before)) => before.end..last.end,
                (None, None) => first.start..last.end,
            });
        }
        place += run + 1;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whichever_items_are_cut_the_rest_is_an_array() {
        let json = " [ 0 , 1,2 ,3 ] ";
        let items: Vec<&RawValue> = serde_json::from_str(json).unwrap();
        for which in 0..16_u32 {
            let is_cut: Vec<bool> = (0..4).map(|place| which >> place & 1 == 1).collect();
            let mut left = json.to_owned();
            for cut in cuts_of(json, &items, &is_cut).into_iter().rev() {
                left.replace_range(cut, "");
            }
            let left: Vec<u32> = serde_json::from_str(&left).unwrap();
            let expected: Vec<u32> = (0..4).filter(|place| which >> place & 1 == 0).collect();
            assert_eq!(left, expected);
        }
    }
}
