#pragma once

#include "experiments/config/run_config.h"
#include "experiments/session/session.h"

namespace wkvq {

/// Checks what `config` asks of text that is sampled from the model, before any is: numbers and
/// lengths of windows, and what the model reads at most. ConfigError as the real text would give.
void check_sampled_text(const RunConfig& config, Session& session);

}  // namespace wkvq
