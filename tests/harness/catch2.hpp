#pragma once

// Debian 12 has Catch2 2, later releases have 3: what both offer, by one name.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
