# cmake --install: headers as <bulkhead/FOLDER/FILE.hpp>, the libraries, the command, and a package config, so that
# find_package(Bulkhead) gives bulkhead::bulkhead and bulkhead::testing.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Bulkhead")
set(header_dir "${CMAKE_INSTALL_INCLUDEDIR}/bulkhead")

foreach(folder messages config platform actors)
  install(DIRECTORY ${folder} DESTINATION "${header_dir}" FILES_MATCHING PATTERN "*.hpp"
          PATTERN "policy_values.hpp" EXCLUDE PATTERN "node" EXCLUDE
          PATTERN "launcher" EXCLUDE)
endforeach()
foreach(header ${bulkhead_front_headers})
  if(EXISTS "${PROJECT_SOURCE_DIR}/${header}")
    install(FILES ${header} DESTINATION "${header_dir}")
  endif()
endforeach()
install(FILES tools/completion/bulkhead.bash RENAME bulkhead
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
install(FILES platform/node/bulkhead.d.ts DESTINATION "${CMAKE_INSTALL_DATADIR}/bulkhead")

set(installed_targets bulkhead)
if(TARGET bulkhead_testing)
  list(APPEND installed_targets bulkhead_testing)
  install(DIRECTORY tests/harness DESTINATION "${header_dir}" FILES_MATCHING PATTERN "*.hpp"
          PATTERN "scripted" EXCLUDE PATTERN "program" EXCLUDE PATTERN "example" EXCLUDE)
  # The attackers, for embedders who try them against their own policy.
  install(DIRECTORY tests/adversary/ DESTINATION "${CMAKE_INSTALL_DATADIR}/bulkhead/adversary"
          PATTERN "native" EXCLUDE PATTERN "CMakeLists.txt" EXCLUDE)
  install(TARGETS bulkhead_attacks RUNTIME DESTINATION "${CMAKE_INSTALL_DATADIR}/bulkhead/adversary/process")
endif()
install(TARGETS ${installed_targets} EXPORT BulkheadTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(TARGETS bulkhead_command RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(EXPORT BulkheadTargets NAMESPACE bulkhead:: DESTINATION "${package_dir}")

configure_package_config_file(tools/cmake/BulkheadConfig.cmake.in
  "${PROJECT_BINARY_DIR}/BulkheadConfig.cmake" INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/BulkheadConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/BulkheadConfig.cmake" "${PROJECT_BINARY_DIR}/BulkheadConfigVersion.cmake"
  tools/cmake/FindCAF.cmake
  DESTINATION "${package_dir}")
