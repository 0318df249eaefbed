set(CARE360_WERROR ON CACHE BOOL "")
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_C_FLAGS "--coverage -fprofile-update=atomic" CACHE STRING "")
