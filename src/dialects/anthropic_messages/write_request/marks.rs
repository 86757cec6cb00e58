//! How many marks for the prompt cache a request may have.

use super::blocks::{Block, Mark};
use super::tools::Offer;
use super::turns::Turn;
use crate::dialects::neutral::{Feature, Losses};

/// The most marks that the API takes.
const MOST: usize = 4;

/// Takes away the marks that are too many, and tells so. The first stays, which is mostly that of the tools or the
/// instructions, in which conversations are alike, and the last three, up to which the next request will be the same.
pub(super) fn keep_four(
    tools: &mut [Offer<'_>],
    system: &mut [Block<'_>],
    messages: &mut [Turn<'_>],
    losses: &mut Losses,
) {
    let of_tools: Vec<_> = tools.iter_mut().filter_map(Offer::mark_place).collect();
    let tools = of_tools.len();
    let of_system = system.iter_mut().filter_map(Block::mark_place);
    let of_messages = messages.iter_mut().flat_map(Turn::blocks).filter_map(Block::mark_place);
    let mut places: Vec<&mut Option<Mark>> = of_tools.into_iter().chain(of_system).chain(of_messages).collect();
    let too_many = places.len().saturating_sub(MOST);
    for (number, mark) in places.iter_mut().enumerate().skip(1).take(too_many) {
        **mark = None;
        if number < tools {
            losses.drop_mark_of_tool();
        } else {
            losses.drop(Feature::CacheMarks);
        }
    }
}
