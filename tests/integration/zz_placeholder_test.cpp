#include <bulkhead/harness/catch2.hpp>
