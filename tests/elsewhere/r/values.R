# What R's values become in Python, without the helpers of fastnet.R.

library(reticulate)
fastnet <- import("fastnet")
source("show.R")
library(Matrix)

x <- array((1:24 * 7) %% 11, c(6, 4)); y <- c(0, 1, 2, 0, 1, 2)
model <- function(...) {
  fastnet$utils$set_random_seed(1)
  first <- fastnet$layers$Dense(8, activation = "relu", input_shape = 4)
  made <- fastnet$Sequential(list(first, fastnet$layers$Dense(3)))
  made$compile("sgd", "mse", ...)
  made
}
loss <- function(...) unlist(import_builtins()$dict(model()$fit(..., verbose = 0)$history))
targets <- outer(y, 0:2, "==") * 1
expected <- loss(x, targets, epochs = 3, batch_size = 2)
same <- function(...) stopifnot(identical(loss(..., epochs = 3, batch_size = 2), expected))
same(x, targets)
same(matrix(as.integer(x), 6), targets == 1)
same(x, matrix(as.integer(targets), 6))
same(as(x, "dgCMatrix"), targets)
same(np_array(x, order = "C"), targets)
same(unname(split(x, 1:6)), targets)
if (py_module_available("pandas")) same(as.data.frame(x), as.data.frame(targets))
same(x, targets, sample_weight = rep(1, 6))
same(x, targets, sample_weight = array(1, 6))
same(x, targets, class_weight = list("0" = 1, "1" = 1))
same(x, targets, callbacks = NULL)
same(x, targets, callbacks = list(fastnet$callbacks$Callback()))
show("losses", expected)
show("weighted", loss(x, targets, class_weight = list("0" = 2, "2" = 3)))

seen <- c()
watch <- fastnet$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) seen <<- c(seen, epoch, logs$loss))
rate <- fastnet$callbacks$LearningRateScheduler(function(epoch, rate) 0.01 / (1 + epoch))
model()$fit(x, targets, epochs = 2, verbose = 0, callbacks = list(watch, rate),
            validation_data = list(x, targets), validation_freq = c(1, 2))
show("seen", seen)

made <- model(metrics = "mae", weighted_metrics = list("mae"))
weights <- made$get_weights()
stopifnot(identical(dim(weights[[1]]), c(4L, 8L)), is.array(weights[[2]]))
made$set_weights(list(weights[[1]] * 2, c(weights[[2]]), weights[[3]], rep(0, 3)))
show("weights", made$get_weights())
show("one row", made$predict(x[1, , drop = FALSE], verbose = 0))
show("metrics", made$evaluate(x, targets, verbose = 0))
one <- fastnet$Sequential(list(fastnet$layers$Dense(1, input_shape = c(4))))
one$set_weights(list(matrix(1, 4, 1), 0)); one$compile("sgd", "mse")
show("one example", one$evaluate(x[1, , drop = FALSE], 3, sample_weight = 2, verbose = 0))
show("labels", fastnet$utils$to_categorical(c(2, 0, 1), num_classes = 3))
stopifnot(identical(fastnet$layers$Reshape(c(2, -1))(x)[2, , ], matrix(x[2, ], 2, byrow = TRUE)))
