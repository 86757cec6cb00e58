//! The routing crate's words and those of the protocol: the crate depends on nothing.

use gateway_routing as routing;

use crate::protocol::{Complexity, Layer, QualityLevel, TaskType};

pub(super) const fn layer_of(layer: Layer) -> routing::Layer {
    match layer {
        Layer::L0 => routing::Layer::L0,
        Layer::L1 => routing::Layer::L1,
        Layer::L2 => routing::Layer::L2,
        Layer::L3 => routing::Layer::L3,
    }
}

pub(super) const fn layer_from(layer: routing::Layer) -> Layer {
    match layer {
        routing::Layer::L0 => Layer::L0,
        routing::Layer::L1 => Layer::L1,
        routing::Layer::L2 => Layer::L2,
        routing::Layer::L3 => Layer::L3,
    }
}

pub(super) const fn task_from(task: routing::Task) -> TaskType {
    match task {
        routing::Task::Chat => TaskType::Chat,
        routing::Task::Code => TaskType::Code,
        routing::Task::Analyze => TaskType::Analyze,
        routing::Task::CreateProject => TaskType::CreateProject,
        routing::Task::General => TaskType::General,
    }
}

pub(super) const fn complexity_from(complexity: routing::Complexity) -> Complexity {
    match complexity {
        routing::Complexity::Simple => Complexity::Simple,
        routing::Complexity::Medium => Complexity::Medium,
        routing::Complexity::Complex => Complexity::Complex,
    }
}

pub(super) const fn quality_of(quality: QualityLevel) -> routing::Quality {
    match quality {
        QualityLevel::Normal => routing::Quality::Normal,
        QualityLevel::High => routing::Quality::High,
        QualityLevel::Critical => routing::Quality::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_crate_is_spelled_as_the_protocol_spells_it() {
        for task in routing::Task::ALL {
            assert_eq!(task.as_str(), task_from(task).as_str());
        }
        for layer in Layer::ALL {
            assert_eq!(layer_of(*layer).as_str(), layer.as_str());
            assert_eq!(layer_from(layer_of(*layer)), *layer);
        }
        for complexity in [
            routing::Complexity::Simple,
            routing::Complexity::Medium,
            routing::Complexity::Complex,
        ] {
            assert_eq!(complexity.as_str(), complexity_from(complexity).as_str());
        }
    }
}
