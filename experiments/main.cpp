#include <iostream>

#include "core/base/error.h"
#include "core/base/heap.h"
#include "experiments/command_line.h"
#include "experiments/failure.h"

using namespace wkvq;

int main(int argc, char** argv) {
  configure_heap();
  throw_where_memory_is_out();
  try {
    return run_command_line(argc, argv);
  } catch (const ConfigError& error) {
    std::cerr << "wkvq: " << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "wkvq: " << failure_text(error) << '\n';
    return 1;
  }
}
