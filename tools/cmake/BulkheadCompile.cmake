# How this project's own code is compiled: strict warnings as errors, sanitizers where asked for, one precompiled header.
# None of it reaches a consumer of the installed library.

function(bulkhead_compile_options target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Werror
    -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wcast-qual -Wcast-align
    -Wnon-virtual-dtor -Woverloaded-virtual -Wformat=2 -Wimplicit-fallthrough -Wundef
    -Wdouble-promotion -Wunused -Wextra-semi
    $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wuseless-cast>
    # CAF 0.17.6's data_processor.hpp trips these at -O2 and -O3, inlined into our code.
    -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds
    # GCC 12 sees overlapping copies in std::string's operator+ (GCC bug 105651).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  if(BULKHEAD_SANITIZE)
    # -fno-sanitize=null: CAF's init_fun_factory binds a reference to null by design.
    target_compile_options(${target} PRIVATE
      -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize=null
      -fno-sanitize-recover=undefined)
    target_link_options(${target} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()

# One precompiled header for everything: CAF's headers alone cost seconds a translation unit.
function(bulkhead_precompile target)
  target_precompile_headers(${target} PRIVATE
    <algorithm> <chrono> <coroutine> <cstdint> <deque> <filesystem> <functional> <map> <memory>
    <optional> <span> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>
    <caf/actor_system.hpp> <caf/actor_system_config.hpp> <caf/event_based_actor.hpp>
    <caf/scoped_actor.hpp> <caf/send.hpp> <caf/stateful_actor.hpp>
    <caf/typed_actor.hpp> <caf/typed_event_based_actor.hpp>
    <boost/asio.hpp> <boost/json.hpp>
    <spdlog/spdlog.h>)
endfunction()
