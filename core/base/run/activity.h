#pragma once

#include <string>

namespace wkvq {

/// Says what this process is doing now, in a few words: "block 3/6: training, epoch 2/5". Progress
/// lines show it, and claims, where other processes read it. From any thread.
void tell_activity(std::string text);

/// What was told last; empty where nothing was.
std::string activity();

}  // namespace wkvq
